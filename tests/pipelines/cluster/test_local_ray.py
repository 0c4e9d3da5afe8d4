"""Ray on this machine, started for one search."""

import subprocess
import sys

# Imports go on in the main thread as soon as Ray's processes have been launched. Some libraries
# copy the environment when they are imported: a variable that goes away meanwhile is a KeyError.
PROGRAM = """
import os, threading
from pipelines.cluster.connect import connecting

if __name__ == "__main__":
    removed, opened = [], threading.Event()
    remove = os._Environ.__delitem__
    os._Environ.__delitem__ = lambda self, name: (removed.append(name), remove(self, name))
    with connecting("local", modules=["wave"]) as connected:
        launched = set(os.environ)
        late = connected().late_dashboard
        late.open(lambda address: opened.set())
        opened.wait()
        assert launched <= set(os.environ), launched - set(os.environ)
    print(removed)
"""


def test_no_variable_goes_away_while_ray_and_its_dashboard_start() -> None:
    found = subprocess.run(
        [sys.executable, "-c", PROGRAM], capture_output=True, text=True, timeout=240
    )
    assert found.returncode == 0, found.stderr
    assert found.stdout == "[]\n"
