"""What the peers train: this project's networks on its data, with a note of each epoch on disk.

A peer may end a trial's process at any time, so each epoch is noted as soon as it ends.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

from cyclopts import Parameter

from benchmarks.harness import Trained, write_work
from search_spaces import SPACES, Choice, Config, SearchSpace, Value
from search_spaces.domains import Domain
from trainables.data.datasets import TrialData, load
from trainables.networks import NETWORKS

NOTES = "trials"


@Parameter(name="*")
@dataclass(frozen=True)
class Work:
    """The search that a peer makes, the same as this pipeline's."""

    trials: int = 40
    algo: str = "optuna"
    data: str = "digits"
    model: str = "mlp"
    epochs: int = 30
    seed: int = 0
    slots: int = 2  # trials at once

    def load(self) -> TrialData:
        return load(self.data, seed=self.seed)

    def space(self, data: TrialData) -> SearchSpace:
        """The space that this pipeline searches, with the parameters fixed that ``data`` have no
        use for. The pipeline's own function for this is not used: its import would cost the peer
        time."""
        whole, fixed = SPACES[self.model], NETWORKS[self.model].without_use(data)
        return whole.replace({name: Choice((value,)) for name, value in fixed.items()})


USUAL = Work()


def train(folder: Path, config: Config, data: TrialData, work: Work) -> Iterator[dict[str, Any]]:
    """The metrics of each epoch, until the last or until the training diverges."""
    import torch

    torch.set_num_threads(1)
    note = {"config": config, "max_epochs": work.epochs, "seed": work.seed, "start": time.time()}
    (folder / NOTES).mkdir(exist_ok=True)
    with (folder / NOTES / f"{uuid4().hex}.jsonl").open("w") as file:
        device = torch.device("cpu")
        training = NETWORKS[work.model](
            config, data, max_epochs=work.epochs, seed=work.seed, device=device
        )
        for epoch, (metrics, _) in enumerate(training, 1):
            print(json.dumps({**note, "epoch": epoch, "end": time.time()}), file=file, flush=True)
            yield dict(metrics)
            if metrics["diverged"]:
                return


def to_draw(space: SearchSpace) -> dict[str, Domain]:
    """What a peer draws whose spaces have no conditions: every parameter with several values."""
    return {name: domain for name, domain in space.domains.items() if not domain.single}


def active(space: SearchSpace, drawn: Mapping[str, Any]) -> Config:
    """The config that such a peer has drawn, without its inactive parameters."""

    def value(name: str, domain: Domain) -> Value:
        if domain.single:
            return domain.at(0.0)
        chosen: Value = drawn[name]
        return chosen if isinstance(domain, Choice) else domain.clip(float(chosen))

    return space.walk(value)


def gather(folder: Path) -> None:
    """Write the file that the harness reads, from the notes."""
    trials = [
        [json.loads(line) for line in path.read_text().splitlines()]
        for path in (folder / NOTES).iterdir()
    ]
    lasts = [notes[-1] for notes in trials if notes]
    trained = [Trained(n["config"], n["epoch"], n["max_epochs"], n["seed"]) for n in lasts]
    first_epoch = min(notes[0]["end"] for notes in trials if notes)
    times = min(n["start"] for n in lasts), max(n["end"] for n in lasts), first_epoch
    write_work(folder / "work.json", trained, times)
