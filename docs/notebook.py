# %% [markdown]
# # Searching from a notebook
#
# From Python you can search, resume, evaluate, export, predict and read runs. The other commands
# (plans, comparisons, Smith's recipe, the pages) have no function. Open this file as a notebook
# (VS Code, or Jupyter with jupytext), or run it: `python docs/notebook.py`.

# %%
from sklearn.datasets import load_wine

from pipelines import StudySpec, evaluate_run, export_model, open_run, search

# %% [markdown]
# The settings are those of `python pipelines/run.py --help`, in groups. A setting that is left out
# has its default; a wrong value raises an error that names the field. `read_study("my.yaml")`
# reads the settings from a study file instead. For a table of your own, save it, for example with
# `frame.to_parquet("mine.parquet")`, and give `problem={"data": "mine.parquet", "target": "late"}`.

# %%
spec = StudySpec(
    problem={"data": "wine"},
    search={"algo": "optuna", "seed": 1},
    space={"fix": {"optimizer": "adamw"}, "range": {"lr": (1e-4, 1e-1)}},
    budget={"trials": 10, "max_epochs": 9},
)

# %% [markdown]
# The search runs on this machine, or on the Ray cluster that this process is connected to. The stop
# button ends the search and keeps its results. Then `search` raises `KeyboardInterrupt`, so that
# "run all" does not go on to the test set; the message says how to go on with the search.

# %%
run = search(spec, dashboard=False)

# %%
print(run.best.value, run.best.config)

# %% [markdown]
# One table has all trials. Another has their curves: one row for each trial, epoch and metric.

# %%
trials = run.trials.sort_values("value", ascending=False)
print(trials[["value", "epochs", "stopped_by", "param.lr", "param.n_layers"]].head())

# %%
curves = run.curves
losses = curves[curves["metric"] == "val_loss"].pivot(
    index="epoch", columns="trial", values="value"
)
print(losses.round(3).iloc[:, :4])

# %% [markdown]
# Open a run again by its folder, even while it still runs. `study` is Optuna's study, for Optuna's
# plots; its `best_trial` considers only trials that were trained to the end.

# %%
again = open_run(run.files.folder)
print(again.spec.search.algo, len(again.finished), again.study.trials[0].duration)

# %% [markdown]
# How good is the winner? It is trained again with other seeds, and the test set is read once.
# Then the model is exported to a folder, and makes predictions; see `docs/use.md`.

# %%
look = evaluate_run(run, quiet=True)
print(look.told("test_accuracy"), look.baselines["logistic regression"]["test_accuracy"])

# %%
model = export_model(run, run.files.folder / "model")
new = load_wine(as_frame=True).data.iloc[:3]
print(model.predict(new).round(3))

# %% [markdown]
# You can search your own function and space without writing them to a file.

# %%
from search_spaces import Float, SearchSpace


def train(config, data, *, max_epochs, seed, device):
    """Yields the metrics of each epoch, and the model or None."""
    for epoch in range(1, max_epochs + 1):
        yield {"val_loss": (config["x"] - 0.3) ** 2 + 1 / epoch}, None


own = search(
    StudySpec(problem={"data": "wine", "metric": "val_loss"}, budget={"trials": 6}),
    trainable=train,
    space=SearchSpace({"x": Float(0.0, 1.0)}),
    dashboard=False,
    quiet=True,
)
print(own.best.config, own.space)
