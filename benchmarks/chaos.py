"""Real faults: what should happen, and what did.

    python -m benchmarks.chaos                 # all: minutes
    python -m benchmarks.chaos kill-driver     # some

A fault is a function that takes an empty folder and returns what was seen. It is entered in
``FAULTS`` with what is expected.
"""

from __future__ import annotations

import contextlib
import os
import random
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import cyclopts

from benchmarks.harness import table
from benchmarks.search_process import Search, left
from pipelines.record.lines import read_lines
from pipelines.study.interrupts import EXIT_CODES
from pipelines.study.runs import open_run

KILLS = int(os.environ.get("KILLS", "20"))  # how many drivers are killed, one after another
SLOWER = ["--data", "digits", "--max-epochs", "30", "--scheduler", "none"]


@dataclass(frozen=True)
class Fault:
    make: Callable[[Path], str]  # takes an empty folder, returns what was seen
    expected: str


def checked(folder: Path, asked: int, before: Sequence[str]) -> str:
    """What is wrong with the record of a search that was resumed and has ended; "" if nothing
    is."""
    trials = open_run(folder / "runs" / "it").finished
    names = [trial.trial_id for trial in trials]
    configs = {str(sorted(trial.config.items())) for trial in trials}
    wrong = []
    if lost := set(before) - set(names):
        wrong.append(f"{len(lost)} LOST")
    if len(trials) != asked:
        wrong.append(f"{len(trials)} TRIALS, NOT {asked}")
    if len(configs) != len(trials):
        wrong.append(f"{len(trials) - len(configs)} CONFIGS TWICE")
    return ", ".join(wrong)


def kill_driver(folder: Path) -> str:
    """One search, killed at random moments again and again, and resumed each time."""
    times, trials = KILLS, 6 * KILLS
    rng = random.Random(0)
    gone, kills = [], 0
    ended: list[str] = []
    search = Search(folder, "--algo", "optuna", "--trials", str(trials), "--name", "it", *SLOWER)
    while kills < times:
        done = len(ended)
        with contextlib.suppress(RuntimeError):
            search.ended(min(done + rng.randrange(3), trials - 1))
        time.sleep(rng.random())
        if search.process.poll() is not None:
            break
        search.process.send_signal(signal.SIGKILL)
        gone.append(search.end().gone)
        kills += 1
        stay = [Path(f"/proc/{process}/comm").read_text().strip() for process in left(folder)]
        print(
            f"kill {kills} of {times}: {done} trials had ended", *stay, file=sys.stderr, flush=True
        )
        now = search.trials()
        assert now[: len(ended)] == ended
        ended = now
        search = Search(folder, "--resume", "runs/it")
    end = search.end()
    if end.code:
        return f"EXIT CODE {end.code}: {end.printed[-300:]}"
    wrong = checked(folder, trials, ended)
    known = [seconds for seconds in gone if seconds is not None]
    most = f"processes gone within {max(known, default=0.0):.1f} s"
    processes = most if len(known) == len(gone) else "PROCESSES LEFT"
    resumed = sum(trial.resumed for trial in open_run(folder / "runs" / "it").finished)
    return (
        f"{kills} kills, {trials} trials, {wrong or 'none lost, no config twice'}; trials went on "
        f"{resumed} times; {processes}"
    )


@contextmanager
def searching(folder: Path, output: int | None = None) -> Iterator[Search]:
    search = Search(folder, "--trials", "1000", "--name", "it", *SLOWER, output=output)
    search.ended(3)
    yield search


def ended_well(folder: Path, search: Search, reason: str) -> str:
    """What was seen after the first signal, and whether the search can be resumed."""
    code, printed, seconds, gone = search.end()
    before = search.trials()
    written = search.files.table
    rows = len(written.read_text().splitlines()) - 1 if written.is_file() else 0
    wrong = []
    if code != EXIT_CODES[reason]:
        wrong.append(f"EXIT CODE {code}")
    if gone is None:
        wrong.append("PROCESSES LEFT")
    if rows != len(open_run(search.files.folder).finished):
        wrong.append(f"{rows} ROWS IN trials.csv")
    if reason in ("interrupt", "SIGTERM") and "--resume runs/it" not in printed:
        wrong.append("NO WORD OF --resume")
    asked = len(before) + 3
    again = Search(folder, "--resume", "runs/it", "--trials", str(asked))
    if again.end().code:
        wrong.append("DID NOT GO ON")
    elif problem := checked(folder, asked, before):
        wrong.append(problem)
    if wrong:
        return ", ".join(wrong)
    return (
        f"exit {code} after {seconds:.1f} s, processes gone {gone:.1f} s later, none lost, went on"
    )


def signalled(number: signal.Signals, reason: str) -> Callable[[Path], str]:
    def fault(folder: Path) -> str:
        with searching(folder) as search:
            search.process.send_signal(number)
            return ended_well(folder, search, reason)

    return fault


def close_output(folder: Path) -> str:
    reader, writer = os.pipe()
    with searching(folder, writer) as search:
        os.close(writer)
        os.close(reader)
        return ended_well(folder, search, "closed output")


def twice(folder: Path) -> str:
    with searching(folder) as search:
        search.process.send_signal(signal.SIGINT)
        search.until("stopping  as soon")
        search.process.send_signal(signal.SIGINT)
        code, printed, seconds, gone = search.end()
        if code != EXIT_CODES["interrupt"] or gone is None:
            return f"EXIT CODE {code}, {'PROCESSES LEFT' if gone is None else printed[-200:]}"
        return f"exit {code} after {seconds:.1f} s, processes gone {gone:.1f} s later"


def in_repeats(folder: Path) -> str:
    """Ctrl-C while the best configs are trained again."""
    options = ["--trials", "5", "--repeats", "4", "--name", "it", *SLOWER]
    search = Search(folder, *options)
    while len(read_lines(search.files.repeats_events)) < 4:
        if search.process.poll() is not None:
            return f"IT ENDED: {search.end().printed}"
        time.sleep(0.05)
    search.process.send_signal(signal.SIGINT)
    code, printed, seconds, _ = search.end()
    before = len(open_run(search.files.folder).repeated)
    again = Search(folder, "--resume", "runs/it")
    after = again.end().code
    repeated = open_run(search.files.folder).repeated
    pairs = {(trial.repeat_of, trial.seed) for trial in repeated}
    if code != EXIT_CODES["interrupt"] or "--resume" not in printed or after or len(pairs) != 20:
        return f"EXIT CODES {code}, {after}; {len(pairs)} OF 20 REPEATS; {printed[-200:]}"
    return f"exit {code} after {seconds:.1f} s with {before} repeats, went on to {len(repeated)}"


IN_ORDER = "running trials saved, trials.csv written, no process left within 10 s, --resume goes on"
FAULTS = {
    "kill-driver": Fault(
        kill_driver,
        "kill -9 of the driver at random moments: no trial lost, as many as asked, no config "
        "twice, no process left within 10 s",
    ),
    "ctrl-c": Fault(signalled(signal.SIGINT, "interrupt"), f"exit 130; {IN_ORDER}"),
    "sigterm": Fault(signalled(signal.SIGTERM, "SIGTERM"), f"exit 143; {IN_ORDER}"),
    "sighup": Fault(signalled(signal.SIGHUP, "SIGHUP"), f"exit 129; {IN_ORDER}"),
    "closed-output": Fault(close_output, f"exit 141; {IN_ORDER}"),
    "ctrl-c-twice": Fault(twice, "exit 130 at once, no process left within 10 s"),
    "ctrl-c-in-repeats": Fault(in_repeats, "exit 130, repeats kept, others trained later"),
}


def main(*names: str) -> int:
    """Make the faults of these names, or all, and print a table of what was seen."""
    if unknown := [name for name in names if name not in FAULTS]:
        print(f"no fault {unknown[0]!r}: there are {', '.join(FAULTS)}", file=sys.stderr)
        return 2
    # A shell makes jobs in the background ignore these signals, and the searches would inherit
    # that.
    for number in (signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.default_int_handler)
    rows = []
    for name in names or FAULTS:
        fault = FAULTS[name]
        with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
            started = time.monotonic()
            seen = fault.make(Path(folder))
            seconds = time.monotonic() - started
        rows.append([name, fault.expected, f"{seen} ({seconds:.0f} s in all)"])
        print(f"{name}: {seen}", file=sys.stderr, flush=True)
    print(table(["fault", "expected", "seen"], rows))
    return 0


if __name__ == "__main__":
    sys.exit(cyclopts.run(main))
