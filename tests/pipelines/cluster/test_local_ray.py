"""Ray on this machine, started for one search."""

import subprocess
import sys

# Imports go on in the main thread as soon as Ray's processes have been launched. Some libraries
# copy the environment when they are imported: a variable that goes away meanwhile is a KeyError.
# The first of two searches ends before its dashboard has opened.
PROGRAM = """
import os, threading
from ray._private import services
from pipelines.cluster.connect import connecting

def search(wait):
    opened = threading.Event()
    with connecting("local", modules=["wave"]) as connected:
        launched = set(os.environ)
        late = connected().late_dashboard
        late.open(lambda address: opened.set())
        if wait and not opened.wait(120):
            raise TimeoutError("no dashboard")
        assert launched <= set(os.environ), launched - set(os.environ)

if __name__ == "__main__":
    removed, launch = [], services.ConsolePopen
    remove = os._Environ.__delitem__
    os._Environ.__delitem__ = lambda self, name: (removed.append(name), remove(self, name))
    search(wait=False)
    assert services.ConsolePopen is launch
    search(wait=True)
    print(removed)
"""


def test_no_variable_goes_away_and_no_process_is_left_while_ray_and_its_dashboard_start() -> None:
    found = subprocess.run(
        [sys.executable, "-c", PROGRAM], capture_output=True, text=True, timeout=240
    )
    assert found.returncode == 0, found.stderr
    assert found.stdout == "[]\n"
