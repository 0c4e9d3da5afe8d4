"""One trial of ``syne_tune_alone.py``, which Syne Tune starts in a process of its own."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

from syne_tune import Reporter

from benchmarks.peers.training import Work, active, train


def main(config_file: Path) -> None:
    given, report = json.loads(os.environ["RANGEFINDER_PEER_WORK"]), Reporter()
    folder, work = Path(given.pop("folder")), Work(**given)
    data = work.load()
    config = active(work.space(data), json.loads(config_file.read_text()))
    training = train(folder, config, data, work)
    for epoch, metrics in enumerate(training, 1):
        report(epoch=epoch, val_accuracy=float(metrics["val_accuracy"]))


if __name__ == "__main__":
    main(Path(sys.argv[sys.argv.index("--st_config_json_filename") + 1]))
