"""The card of an exported model: what it is, what it is worth, and its limits."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any

from pipelines.record.scores import shown_score
from trainables.data.columns import Category, Date, Number
from trainables.data.preprocessing import Preprocessing
from trainables.data.table_inputs import TableInputs

MOST_CLASSES = 20  # to list


def model_card(
    about: Mapping[str, Any],
    preprocessing: Preprocessing,
    name: str,
    idle: Collection[str] = (),
) -> str:
    """The card in Markdown, without the ``idle`` parameters of the space."""
    trials = [{**trial, "config": _without(trial["config"], idle)} for trial in about["trials"]]
    return "\n".join(_lines({**about, "trials": trials}, preprocessing, name)) + "\n"


def _without(config: Mapping[str, Any], idle: Collection[str]) -> dict[str, Any]:
    return {name: value for name, value in config.items() if name not in idle}


def _lines(about: Mapping[str, Any], preprocessing: Preprocessing, name: str) -> Iterator[str]:
    data = about["data"]
    yield from (f"# {name}", "")
    n = len(about["trials"]) * max(1, len(about["seeds"]))
    what = "a network" if n == 1 else f"the mean prediction of {n} networks"
    yield from (f"A {about['task']} model: {what} of the kind `{about['model']}`.", "")
    yield from ("## Use", "", "```python", "from pipelines import load_model", "")
    yield from (f'load_model("{name}").predict(rows)  # {_rows(preprocessing)}', "```", "")
    yield from (f"    python -m pipelines.predict {name} {_file(preprocessing)}", "")
    pillow = "" if isinstance(preprocessing.inputs, TableInputs) else ", pillow"
    yield f"`load_model` needs Rangefinder, torch, numpy, pandas{pillow} and pyarrow, and no Ray."
    yield ""
    if preprocessing.class_names:
        names = preprocessing.class_names
        classes = ", ".join(f"`{name}`" for name in names[:MOST_CLASSES])
        if len(names) > MOST_CLASSES:
            classes += f" and {len(names) - MOST_CLASSES} more, in `preprocessing.json`"
        yield f"It predicts one of {len(names)} classes ({classes}), and a"
        yield from ("probability for each of them.", "")
    else:
        of = f"`{preprocessing.target}`" if preprocessing.target else "the target"
        yield from (f"It predicts a value of {of}, in the units of the data.", "")
    yield from _worth(about, n)
    yield from ("", "## Data", "")
    yield f"- `{data['source']}`: the search used {data['train']} samples for training and"
    yield f"  {data['validation']} for validation"
    yield f"- fingerprint `{data['fingerprint']}`"
    yield f"- the weights were trained on {about['trained_on']} ({data['of_the_weights']} samples)"
    yield f"- {_inputs(preprocessing)}"
    yield from _found(about)
    yield from ("", "## Limits", "")
    yield "- The model knows only its training data, and does not say when a new sample is unlike"
    yield "  them."
    if _has(preprocessing, Number, Date):
        yield "- A number or a date outside the range of the training data counts as the nearest"
        yield "  end of that range, so the model does not extrapolate."
    if _has(preprocessing, Category):
        yield "- A value of a category that was not in the training data counts as a rare value of"
        yield "  that category; if the category has no rare values, as its most common value."
    if preprocessing.class_names:
        yield "- Its probabilities were not calibrated."
    yield from ("", "## Versions", "")
    yield ", ".join(f"{package} {number}" for package, number in about["versions"].items())
    yield ""
    yield "Files: `model.pt2` (torch.export, any number of samples at a time),"
    yield "`weights.safetensors`, `preprocessing.json`, `model.json`. No file is pickled."


def _worth(about: Mapping[str, Any], n: int) -> Iterator[str]:
    """The scores of a model of ``n`` networks, and what they are worth."""
    test = about["test"]
    together = test["together"] if test and n > 1 else {}
    yield from ("## What it is worth", "")
    if test is None:
        yield from _untested(about, n)
    else:
        if about["trained_on"] == "train" and not test["kept"]:
            yield "The scores below are not of these weights, which were trained on the training"
            yield "samples alone, and were not tested."
        more = ", and the result of all these networks together" if together else ""
        yield f"On a test set of {test['samples']} samples that was used for no choice"
        yield f"(look {test['look']} of {test['looks']} at it), {_of_what(test)}{more}:"
    scores = about["trials"][0]["validation"] if test is None else test["metrics"]
    yield from (
        "",
        "| metric | |" + " together |" * bool(together),
        "|---|---|" + "---|" * bool(together),
    )
    for metric, value in scores.items():
        if metric.startswith(("val_", "test_")):
            told = [value if isinstance(value, str) else shown_score(value)]
            told += [shown_score(together[metric])] if metric in together else []
            yield f"| {metric} | {' | '.join(told)} |"


def _of_what(test: Mapping[str, Any]) -> str:
    """What was tested, in a line."""
    if test["kept"]:
        return "with these very weights"
    n, again = test["seeds"], "trained again on train and validation"
    over = "one seed" if n == 1 else f"{n} seeds; mean +- standard deviation"
    return f"{again}\n({test['trained_on']} samples) with {over}"


def _untested(about: Mapping[str, Any], n: int) -> Iterator[str]:
    """What the scores of the search say about a model of ``n`` networks."""
    again = about["trained_on"] != "train"
    of = "of the search's own training, " if again else ""
    yield f"Not tested: the scores below are {of}on the validation set, which chose the model and"
    yield "its epoch, so they are optimistic. `python -m pipelines.evaluate RUN` tests the model."
    if again:
        yield "They are not of these weights, which were trained on that set too."
    if n > 1:
        yield f"They are the scores of trial {about['trials'][0]['trial']} alone."


def _found(about: Mapping[str, Any]) -> Iterator[str]:
    search = about["search"]
    yield from ("", "## How it was found", "")
    yield f"- {search['algorithm']} with {search['scheduler']}: {search['trials']} trials of at"
    yield f"  most {search['max_epochs']} epochs, {search['epochs']} in all, for the best"
    yield f"  {about['metric']}; seed {search['seed']}"
    if search["split_seed"] != search["seed"]:
        yield f"- the data were split with seed {search['split_seed']}"
    total = sum(trial["weight"] for trial in about["trials"])
    for trial in about["trials"]:
        share = "" if trial["weight"] == total else f", {trial['weight'] / total:.0%} of the mean"
        place = f"trial {trial['trial']} of run `{about['run']}`, after epoch {trial['epochs']}"
        seed = "" if trial["seed"] is None else f", with seed {trial['seed']}"
        yield f"- {place}{seed}{share}:"
        yield "  " + ", ".join(f"`{k}={v}`" for k, v in trial["config"].items())
    if about["seeds"]:
        seeds = ", ".join(str(seed) for seed in about["seeds"])
        yield f"- trained with each of the seeds {seeds}"


def _inputs(preprocessing: Preprocessing) -> str:
    inputs = preprocessing.inputs
    if isinstance(inputs, TableInputs):
        _, _, kinds = str(inputs).partition(": ")  # without the number of columns
        return f"columns: {kinds}; {inputs.shape[0]} inputs in all"
    if inputs.mode == "F":
        return f"inputs: {inputs}"
    return (
        f"inputs: {inputs}, with values from 0 to {inputs.white:g}; image files are\n"
        "  resized and scaled to this"
    )


def _has(preprocessing: Preprocessing, *kinds: type) -> bool:
    """Whether the inputs have a column of one of the kinds."""
    inputs = preprocessing.inputs
    return isinstance(inputs, TableInputs) and any(isinstance(c, kinds) for c in inputs.columns)


def _rows(preprocessing: Preprocessing) -> str:
    table = preprocessing.to_dict()["kind"] == "table"
    return "a pandas table" if table else "paths of image files"


def _file(preprocessing: Preprocessing) -> str:
    return "mine.csv" if preprocessing.to_dict()["kind"] == "table" else "photo.png"
