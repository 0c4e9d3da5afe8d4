"""The command line: what a user types and sees."""

import signal
import sys
from pathlib import Path

_COMMANDS = Path(__file__).resolve().parents[1]
_started = Path(getattr(sys.modules["__main__"], "__file__", None) or "-").resolve()

# While a command imports what it needs, Ctrl-C ends it without a traceback. `command.main` sets
# Python's own handler again. If the shell ignores Ctrl-C for this process, so do we.
if (_started.parent == _COMMANDS or _started.name == "rangefinder") and (
    signal.getsignal(signal.SIGINT) is signal.default_int_handler
):
    signal.signal(signal.SIGINT, signal.SIG_DFL)
