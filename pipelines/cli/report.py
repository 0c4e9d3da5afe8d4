"""``report.py``: prints runs on a terminal of any width, and writes them as a page."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from pipelines.cli.onward import instead_of_resuming, to_resume
from pipelines.cli.summary import baseline_lines, front_lines, repeats_lines, result_lines
from pipelines.cli.text import Terminal, format_config, print_lines, print_plain, wrapped
from pipelines.cli.visible import visible
from pipelines.record.files import RunFiles
from pipelines.record.front import ranked_by
from pipelines.record.lock import holding
from pipelines.record.looks import Look
from pipelines.record.scores import shown_score
from pipelines.record.sessions import note_results
from pipelines.results.fates import fate
from pipelines.results.promised import promised
from pipelines.study.finish import write_table
from pipelines.study.interrupts import AT_THE_END, interruptible
from pipelines.study.repeats import repeats_of
from pipelines.study.runs import Run, open_run
from pipelines.study.typed import shown
from pipelines.tuner.scheduling.schedulers import SCHEDULERS
from trainables.baselines import MODELS
from trainables.training.metrics import METRICS

COMPARISON = Path("comparison.html")
_MAJORITY, _LOSS = MODELS["classification"][0], "test_loss"


def print_report(folder: Path, top: int, output: Path | None, *, plot_schedule: bool) -> None:
    """Print the ``top`` best trials and how all trials ended. Bring the table of the trials and the
    page up to date, because a search that was killed could not write them. With ``output`` only the
    page is written, to that file.

    Raises ``ValueError`` if ``folder`` is not a run, or if a file cannot be written.
    """
    run = open_run(folder)
    written: list[str] = []
    problem = None
    try:  # first, because a reader such as `head` may close the output at any line
        written.extend(_written(run, output, plot_schedule=plot_schedule))
    except ValueError as error:
        if output is not None:
            raise
        problem = error  # of a run that cannot be written, the report can still be read
    console = Terminal()
    for line in _lines(run, top):
        console.print(wrapped(visible(line), console.width), markup=False, soft_wrap=True)
    print_lines(console, written)
    if problem is not None:
        raise problem


def _written(run: Run, output: Path | None, *, plot_schedule: bool) -> Iterator[str]:
    """Write the files, and say where they are."""
    from pipelines.results.report import write_page, write_report
    from pipelines.results.run_page import report_page

    if output is None:
        try:
            table = write_table(run.files, run.finished, run.goals)
        except ValueError as error:
            raise ValueError(f"{error}: `output=FILE` writes the page alone") from None
        yield f"table     {shown(table)}"
        page = write_report(run)
    else:
        page = write_page(report_page(run), output.expanduser().absolute())
    yield f"report    {shown(page)}"
    if plot_schedule:
        from pipelines.results.schedule import write_schedule

        yield f"schedule  {write_schedule(run.files.folder)}"


def look_lines(run: Run) -> Iterator[str]:
    """The last scores on the test set, beside the score of the search; nothing if the test set was
    never read."""
    if not run.looks:
        return
    look, number = run.looks[-1], len(run.looks)
    n = len(look.seeds)
    over = f"mean +- standard deviation of {n} seeds" if n > 1 else "one seed"
    over = "with the weights that the search kept" if look.kept else over
    yield f"test      {look.samples} samples, {over}"
    yield from (f"          {name} {look.told(name)}" for name in look.values)
    if look.left_out:
        yield f"diverged  {look.left_out}"
    if n > 1 and look.together:
        scores = ", ".join(f"{name} {shown_score(value)}" for name, value in look.together.items())
        yield f"together  the mean prediction of all {look.n_networks} networks: {scores}"
    name = look.searched(run.metric)
    scored = {model: found[name] for model, found in look.baselines.items() if name in found}
    if scored:
        told = [f"{model} {shown_score(score)}" for model, score in scored.items()]
        yield f"baseline  {name} of {', '.join(told)}"
        yield from _verdict_lines(look, name, scored)
    yield f"search    {run.metric} {promised(run, look)}: so it may flatter"
    if number > 1:
        yield f"looks     {number} at this test set: a model chosen by its scores is tuned on it"


def _verdict_lines(look: Look, name: str, found: Mapping[str, float]) -> Iterator[str]:
    """Whether a quick model of ``found`` is better than the networks by the metric ``name``, and
    whether probabilities that ignore the inputs are better than theirs."""
    mode = METRICS[f"val_{name.removeprefix('test_')}"].mode
    best = (max if mode == "max" else min)(found, key=found.__getitem__)
    if _is_beaten(look, name, found[best]):
        yield f"          {best} is better than the networks"
    guess = look.baselines.get(_MAJORITY, {}).get(_LOSS)
    if guess is not None and _is_beaten(look, _LOSS, guess):
        yield (
            f"note      {_LOSS} of {_MAJORITY} is {shown_score(guess)}: the networks' "
            "probabilities are worse than none; --metric val_loss searches for good ones"
        )


def _is_beaten(look: Look, name: str, score: float) -> bool:
    """Whether ``score`` is better than that of the networks, alone and together."""
    metric = METRICS[f"val_{name.removeprefix('test_')}"]
    ours = (look.mean(name), look.together.get(name, look.mean(name)))
    return all(metric.better(score, value) for value in ours)


def print_comparison(folders: Sequence[Path], output: Path | None) -> None:
    """Print a line for each run, and write them side by side to ``output``, or to comparison.html.

    Raises ``ValueError`` if a folder is not a run, or if the runs cannot be compared.
    """
    from pipelines.results.report import write_comparison

    runs = [open_run(folder) for folder in folders]
    path = write_comparison(runs, (output or COMPARISON).expanduser().absolute())
    console = Terminal()
    for run in runs:
        best = shown_score(run.best.value if run.best else None)
        told = f"{run.metric} {best}, {len(run.finished)} trials, {run.result.epochs} epochs"
        print_plain(console, f"run       {shown(run.files.folder)}: {told}")
    print_plain(console, f"report    {shown(path)}")


def report_line(folder: Path, *, ends_search: bool = False) -> str:
    """Write the page of a run that has ended. Returns a line that says where the page is, or why
    there is none: a search is worth more than its page, so only a second interruption raises. With
    ``ends_search`` the record notes that all results are written: the page is the last of them."""
    try:
        from pipelines.results.report import write_report

        with interruptible(lambda reason: None, AT_THE_END):
            page, files = write_report(open_run(folder)), RunFiles(folder)
            if ends_search:
                with suppress(OSError, ValueError), holding(files):  # no driver began in between
                    note_results(files)
            return f"report    {shown(page)}"
    except Exception as error:
        name = "" if type(error) is ValueError else f"{type(error).__name__}: "
        return f"report    none: {name}{error}"


def _lines(run: Run, top: int) -> Iterator[str]:
    problem, budget = run.spec.problem, run.spec.budget
    data = f"{run.data.name}, {run.data.train} train + {run.data.validation} validation samples"
    yield f"run       {problem.name} with {run.spec.search.algo} on {data}"
    yield from result_lines(run.result, problem.folds, run.space)
    yield from front_lines(run.finished, run.goals, run.space)
    yield from baseline_lines(run.result, run.baselines)
    yield from look_lines(run)
    yield from _findings(run)
    best = ranked_by(run.finished, METRICS[run.metric], run.goals.aims[1:])[:top]
    if best:
        yield f"top {len(best):<6}{run.metric}, its epoch, how the trial ended, its config"
    for n, trial in enumerate(best, 1):
        at = f"epoch {trial.best_epoch} of {trial.epochs}"
        config = format_config(trial.config, run.space)
        yield f"{n:>7}   {shown_score(trial.value)}  {at}, {fate(trial)}: {config}"
    if repeats := repeats_of(run):
        yield f"repeats   {run.metric} with {budget.repeats} other seeds each"
        yield from repeats_lines(repeats, run.space)


def _findings(run: Run) -> Iterator[str]:
    """The findings of the page that a terminal can show."""
    from pipelines.results.endings import address_of, goes_on, unfinished
    from pipelines.results.findings import Findings
    from pipelines.results.sections.importance import sentence
    from pipelines.results.sections.parameters import edge_lines
    from pipelines.results.sections.stopping import agreement_lines

    if missing := unfinished(run):
        yield f"state     {missing}"
        if not goes_on(run):
            folder, scheduler = run.files.folder, run.spec.stopping.scheduler
            if SCHEDULERS[scheduler].pauses:
                onward = instead_of_resuming(folder, scheduler, has_trials=bool(run.finished))
            else:
                onward = to_resume(folder, run.spec.problem.trainable, address_of(run))
            yield f"go on     {onward}"
    found = Findings(run)
    if found.importance is not None:
        yield f"mattered  {sentence(found.importance)}"
    yield from (f"edge      {line}" for line in edge_lines(found))
    yield from (f"stopping  {line}" for line in agreement_lines(found) if "Too few" not in line)
