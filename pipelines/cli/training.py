"""The final trainings of ``evaluate.py`` and ``export.py``: their cluster and their progress."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from rich.console import Console

from pipelines.cli.connection import Address
from pipelines.cli.text import print_plain
from pipelines.cluster.connect import LOCAL, check_address, connecting
from pipelines.cluster.workers import await_machines, await_worker
from pipelines.record.scores import shown_score
from pipelines.results.endings import unfinished
from pipelines.study.fit import check_trial, check_trial_here
from pipelines.study.interrupts import interruptible, renew
from pipelines.study.runs import Run
from pipelines.winner.candidates import Candidate
from pipelines.winner.selection import selected

_OF_A_TRAINING = ("pipelines.winner.one_training", "trainables.training.fit")


@contextmanager
def for_training(run: Run, where: Address, console: Console) -> Iterator[Callable[[], None]]:
    """Connect to a cluster, to train configs of ``run``. Yields a function that waits for the
    cluster and checks that a training fits on it.

    Raises ``ValueError`` if it cannot fit.
    """

    def say(line: str) -> None:
        print_plain(console, line)

    resources = run.spec.resources
    check_address(where.address)
    if where.address == LOCAL:
        check_trial_here(resources)
    with (
        interruptible(),
        connecting(where.address, dashboard=False, modules=_OF_A_TRAINING) as connected,
    ):

        def check() -> None:
            cluster = connected()
            renew()
            await_machines(cluster, resources.trial, say)
            check_trial(cluster.node_types(), resources)
            await_worker(cluster, resources.trial, say)

        yield check


def warn_if_unfinished(run: Run, console: Console) -> None:
    """Say so if the search is not complete, as far as its record tells: trials that come later
    may be better, and the test set is there for one look."""
    if run.sessions and (missing := unfinished(run)):
        print_plain(console, f"warning   {missing}")


def counted(console: Console, total: int) -> Callable[[int], None]:
    """A function that prints how many of ``total`` trainings are done."""
    return lambda n: print_plain(console, f"trained   {n} of {total}")


def select_among(run: Run, candidates: Sequence[Candidate], console: Console) -> list[Candidate]:
    """The ``candidates`` that make up the ensemble, with their weights; a single one is returned.

    Raises ``ValueError`` if they cannot be trained.
    """
    if len(candidates) == 1:
        return list(candidates)
    print_plain(
        console, "selecting by validation predictions; each config is trained as in the search"
    )
    n_folds = run.spec.problem.folds or 1
    selection = selected(run, candidates, counted(console, len(candidates) * n_folds))
    total = sum(c.weight for c in selection.candidates)
    shares = [f"trial {c.number} {c.weight / total:.0%}" for c in selection.candidates]
    loss, alone = shown_score(selection.loss), shown_score(selection.loss_alone)
    losses = f"validation loss {loss}, {alone} with the best one alone"
    print_plain(console, f"selected  {', '.join(shares)}: {losses}")
    return list(selection.candidates)
