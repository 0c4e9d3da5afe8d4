"""``dashboard.py --optuna``: optuna-dashboard on the record of a run."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from pipelines.cli.dashboard import not_to_be_had
from pipelines.live.optuna_pages import HOST, PAGE, optuna_server
from pipelines.study.runs import open_run


def show_in_optuna(folder: Path, port: int) -> int:
    """Serve optuna-dashboard until Ctrl-C, and print its address. Returns the exit code.

    It shows only finished trials, and asks for no token: every user of this machine can look.

    Raises ``ValueError`` if ``folder`` is not a run, if optuna-dashboard is not installed, or if
    the port cannot be used.
    """
    journal = open_run(folder.expanduser()).files.journal
    try:
        server = optuna_server(journal, port, lambda app: app)
    except ImportError:
        raise ValueError("`optuna` needs optuna-dashboard: pip install optuna-dashboard") from None
    except OSError as error:
        raise ValueError(not_to_be_had(port, error)) from None
    with server, suppress(KeyboardInterrupt):
        print(f"optuna    http://{HOST}:{server.server_port}{PAGE}", flush=True)
        server.serve_forever()
    return 0
