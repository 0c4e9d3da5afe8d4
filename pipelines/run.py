"""Search for a good network: ``python pipelines/run.py --algo optuna``."""

from __future__ import annotations

import sys
from dataclasses import asdict
from fractions import Fraction
from pathlib import Path
from typing import Annotated, Any

import typer

from pipelines.cli import arguments
from pipelines.cli.arguments import choice, option, real, whole
from pipelines.cli.command import main
from pipelines.cli.memory import parse_memory
from pipelines.cluster.resources import AUTO, parse_share, ray_gpus
from pipelines.search.algorithms import ALGORITHMS
from pipelines.search.schedulers import SCHEDULERS, StoppingRules, check_scheduler, rungs
from search_spaces import SPACES
from trainables.data.datasets import DATASETS
from trainables.training.metrics import METRICS

_SEARCH, _SPACE, _DATA, _BUDGET = "Search", "Space", "Data", "Budget"
_STOPPING, _RESOURCES, _RUN = "Early stopping", "Resources", "Run"
_DATA_HELP = f"{', '.join(DATASETS)}; a .csv or .parquet file; or a folder of images."

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@app.command()
def run(
    algo: Annotated[str, choice(ALGORITHMS, "What chooses the next config.", _SEARCH)] = "optuna",
    model: Annotated[str, choice(SPACES, "The network to search.", _SEARCH)] = "mlp",
    trainable: Annotated[
        str | None,
        option(
            str,
            "Your own function instead of a model.",
            _SEARCH,
            "package.module:function",
            show_default="none",
        ),
    ] = None,
    space: Annotated[
        str | None,
        option(
            str,
            "Your own search space.",
            _SEARCH,
            "package.module:space",
            show_default="the model's",
        ),
    ] = None,
    metric: Annotated[
        str | None,
        choice(METRICS, "What to optimise.", _SEARCH, show_default="val_accuracy, or val_r2"),
    ] = None,
    levels: Annotated[
        list[str],
        option(
            str,
            "Values that a grid takes of a parameter; may be repeated.",
            _SEARCH,
            "name=n",
            show_default="the space's own",
        ),
    ] = [],  # noqa: B006  # Typer's way to say: any number of times
    fix: Annotated[
        list[str],
        option(str, "Fix a parameter; may be repeated.", _SPACE, "name=value", show_default="none"),
    ] = [],  # noqa: B006
    range_: Annotated[
        list[str],
        option(
            str,
            "Another range for a parameter; may be repeated.",
            _SPACE,
            "name=low..high",
            show_default="the space's own",
            names=["--range"],
        ),
    ] = [],  # noqa: B006
    max_parameters: Annotated[
        Any,
        option(
            real(0), "No network larger than this, such as 1e6.", _SPACE, "n", show_default="none"
        ),
    ] = None,
    seed_from: Annotated[
        Any,
        option(
            Path,
            "A run whose trials the algorithm learns from first.",
            _SPACE,
            "run",
            show_default="none",
        ),
    ] = None,
    start_with: Annotated[
        Any,
        option(Path, "A YAML list of configs to try first.", _SPACE, "file", show_default="none"),
    ] = None,
    lr_range_test: Annotated[
        bool,
        typer.Option(
            "--lr-range-test",
            help="First find the range of lr with an LR range test.",
            rich_help_panel=_SPACE,
        ),
    ] = False,
    batch_size_test: Annotated[
        bool,
        typer.Option(
            "--batch-size-test",
            help="First find the largest batch that fits.",
            rich_help_panel=_SPACE,
        ),
    ] = False,
    memory: Annotated[
        Any,
        option(
            parse_memory,
            "The memory that its steps may take, such as 2GB.",
            _SPACE,
            "amount",
            show_default="a GPU's own",
        ),
    ] = None,
    zoom_from: Annotated[
        Any,
        option(Path, "A run to take narrower ranges from.", _SPACE, "run", show_default="none"),
    ] = None,
    seed: Annotated[
        int, option(whole(0), "Of the split, the search and the training.", _SEARCH, "n")
    ] = 0,
    data: Annotated[str, option(str, _DATA_HELP, _DATA, "name|path")] = "digits",
    target: Annotated[
        str | None,
        option(
            str, "The column to predict, of a table file.", _DATA, "column", show_default="none"
        ),
    ] = None,
    data_fraction: Annotated[
        float, option(real(0, 1), "Share of the training split to use.", _DATA, "share")
    ] = 1.0,
    folds: Annotated[
        Any,
        option(
            whole(2),
            "Cross-validate each config on so many folds, in lockstep.",
            _DATA,
            "k",
            show_default="one split",
        ),
    ] = None,
    repeats: Annotated[
        Any,
        option(
            whole(2),
            "At the end, train the best configs again with so many seeds.",
            _BUDGET,
            "k",
            show_default="none",
        ),
    ] = None,
    trials: Annotated[int, option(whole(1), "Configs to try.", _BUDGET, "n")] = 40,
    max_epochs: Annotated[int, option(whole(1), "Epochs of a trial.", _BUDGET, "n")] = 30,
    time_budget: Annotated[
        Any,
        option(
            arguments.parse_duration,
            "Stop after 90s, 20m, 1h30m.",
            _BUDGET,
            "duration",
            show_default="none",
        ),
    ] = None,
    target_value: Annotated[
        Any,
        option(real(), "Stop when the metric reaches this.", _BUDGET, "value", show_default="none"),
    ] = None,
    scheduler: Annotated[
        str, choice(SCHEDULERS, "What stops trials that perform badly.", _STOPPING)
    ] = "asha",
    grace_period: Annotated[
        int, option(whole(1), "Epochs before a trial may be stopped.", _STOPPING, "epochs")
    ] = 1,
    reduction_factor: Annotated[
        float, option(real(1), "One in so many goes on at each rung.", _STOPPING, "factor")
    ] = 3,
    cpus_per_trial: Annotated[float, option(real(0), "CPUs of a trial.", _RESOURCES, "cpus")] = 1,
    gpus_per_trial: Annotated[
        Any,
        option(
            parse_share, "GPUs of a trial: 0, 1/4 or 0.25, 2; auto measures.", _RESOURCES, "gpus"
        ),
    ] = "0",
    max_failures: Annotated[
        int, option(whole(0), "Times that a trial which fails is tried again.", _RESOURCES, "n")
    ] = 0,
    max_concurrent: Annotated[
        Any, option(whole(1), "Trials at once.", _RESOURCES, "n", show_default="all that fit")
    ] = None,
    address: Annotated[
        str | None,
        option(
            str,
            "The Ray cluster to join; 'local' starts Ray here.",
            _RESOURCES,
            "address",
            show_default="a running one, else start Ray here",
        ),
    ] = None,
    dashboard: Annotated[
        bool,
        typer.Option(
            "--dashboard/--no-dashboard",
            help="Start Ray's dashboard with Ray.",
            rich_help_panel=_RESOURCES,
        ),
    ] = True,
    name: Annotated[
        str | None, option(str, "Of the run.", _RUN, "name", show_default="DATA-MODEL-ALGO-TIME")
    ] = None,
    runs_dir: Annotated[Any, option(Path, "Where runs are kept.", _RUN, "folder")] = "runs",
    storage: Annotated[
        str | None,
        option(
            str,
            "Where trials keep checkpoints: a shared folder or s3://...",
            _RUN,
            "path|uri",
            show_default="the run's folder",
        ),
    ] = None,
    plot_schedule: Annotated[
        bool,
        typer.Option(
            "--plot-schedule",
            help="Draw the learning rate and momentum of the best trial.",
            rich_help_panel=_RUN,
        ),
    ] = False,
    dry_run: Annotated[
        bool,
        typer.Option(
            "--dry-run", help="Print the plan, with an estimate, and stop.", rich_help_panel=_RUN
        ),
    ] = False,
    node_price: Annotated[
        Any,
        option(
            real(0),
            "Of an hour of a node, for the estimate.",
            _RUN,
            "price",
            show_default="not known",
        ),
    ] = None,
) -> int:
    """Search for a good network for your data."""
    # Imported here so that --help and a mistyped option answer at once: torch and Ray take seconds.
    from pipelines.cluster.connect import check_address
    from pipelines.launch import launch
    from pipelines.plan.prepare import prepare
    from pipelines.search.study import StudySpec

    measured = gpus_per_trial is None
    gpus: Fraction = Fraction(1) if measured else gpus_per_trial  # to begin with
    if measured and trainable:
        raise ValueError(f"--gpus-per-trial {AUTO} measures --model mlp or cnn, not --trainable")
    if node_price is not None and not dry_run:
        raise ValueError(f"--node-price {node_price:g} is for --dry-run")
    if grace_period > max_epochs:
        raise ValueError(f"--grace-period {grace_period} is above --max-epochs {max_epochs}")
    check_address(address)
    resolved_storage = None if storage is None else arguments.resolve_storage(storage)
    rules = StoppingRules(metric or "", "max", max_epochs, grace_period, reduction_factor)
    study = prepare(
        model=model,
        trainable=trainable,
        space=space,
        fixed=fix,
        ranges=range_,
        max_parameters=max_parameters,
        seed_from=seed_from,
        start_with=start_with,
        zoom_from=zoom_from,
        lr_range_test=lr_range_test,
        batch_size_test=batch_size_test,
        memory=memory,
        cpus=cpus_per_trial,
        gpus=float(gpus),
        cycle_ends=rungs(rules) if scheduler == "aligned_asha" else (),
        data=data,
        target=target,
        fraction=data_fraction,
        folds=folds or 0,
        seed=seed,
        metric=metric,
    )
    check_scheduler(scheduler, algo, study.trained, study.space)
    folder = arguments.new_run_folder(runs_dir, name, study.label(algo))
    if resolved_storage is not None:
        arguments.check_no_run_in(resolved_storage, folder.name)
    spec = StudySpec(
        algo=algo,
        model=trainable or model,
        data=data,
        metric=study.metric,
        trials=trials,
        max_epochs=max_epochs,
        scheduler=scheduler,
        grace_period=grace_period,
        reduction_factor=reduction_factor,
        seed=seed,
        folds=folds or 0,
        repeats=repeats or 0,
        target=target,
        data_fraction=data_fraction,
        time_budget=time_budget,
        target_value=target_value,
        cpus_per_trial=cpus_per_trial,
        gpus_per_trial=ray_gpus(gpus),
        max_concurrent=max_concurrent,
        max_failures=max_failures,
        storage=resolved_storage,
        grid_levels=arguments.parse_levels(levels),
        max_parameters=max_parameters,
        seed_from=_text(seed_from),
        start_with=_text(start_with),
        zoom_from=_text(zoom_from),
        lr_bounds={name: asdict(bounds) for name, bounds in study.lr_bounds.items()},
    )
    if plot_schedule and trainable:
        raise ValueError(f"--plot-schedule knows no schedule of --trainable {trainable}")
    code = launch(
        spec,
        study,
        folder,
        address=address,
        dashboard=dashboard,
        dry_run=dry_run,
        measure_share=measured,
        node_price=node_price,
    )
    if plot_schedule and code == 0 and not dry_run:
        from pipelines.schedule_plot import write_schedule

        print(f"schedule  {write_schedule(folder)}")
    return code


def _text(path: Path | None) -> str | None:
    return None if path is None else str(path)


if __name__ == "__main__":
    sys.exit(main(app))
