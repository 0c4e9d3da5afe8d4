"""Run this on a worker; it waits for the notice that the machine will be taken away:
``python pipelines/spot_notice.py &`` before ``ray start``.

Amazon announces a spot interruption two minutes ahead, in the metadata of the instance (EC2 User
Guide, "Spot Instance interruption notices"). A machine that shuts down sends SIGTERM to this
process. In both cases every trial on this machine saves a checkpoint at its next epoch, and Ray
starts no new trial on it.
"""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from http.client import HTTPException
from types import FrameType

from pipelines.cluster import notice

METADATA = "http://169.254.169.254/latest"
EVERY = 5.0  # seconds between two requests, as Amazon recommends
PATIENCE = 2.0  # seconds to wait for an answer
_TOKEN_LIFE = "21600"  # seconds, the longest life that is allowed
_AT_SHUTDOWN, _AT_INTERRUPTION = 10, 120  # seconds that are left

_DRAIN = ("ray", "drain-node", "--reason", "DRAIN_NODE_REASON_PREEMPTION")


def main() -> int:
    """Wait for a notice, pass it on, and end."""
    signal.signal(signal.SIGTERM, _shut_down)
    notice.take_back()
    while not (action := look()):
        time.sleep(EVERY)
    pass_on(f"spot interruption: {action}", _AT_INTERRUPTION)
    return 0


def look() -> str:
    """What the metadata announces for this instance; "" if it announces nothing or if there is no
    metadata."""
    try:
        token = _ask("PUT", "api/token", {"X-aws-ec2-metadata-token-ttl-seconds": _TOKEN_LIFE})
        answer = _ask("GET", "meta-data/spot/instance-action", {"X-aws-ec2-metadata-token": token})
        action = json.loads(answer)
        return f"{action['action']} at {action['time']}"
    except (OSError, HTTPException, ValueError, KeyError, TypeError):  # 404 if there is no notice
        return ""


def pass_on(reason: str, seconds_left: int) -> None:
    """Tell the trials on this machine, and Ray, which then blames the machine for their end."""
    notice.give(reason)
    print(reason, flush=True)
    drain = (*_DRAIN, "--reason-message", reason, "--deadline-remaining-seconds", str(seconds_left))
    subprocess.run(drain, check=False)


def _ask(method: str, path: str, headers: dict[str, str]) -> str:
    request = urllib.request.Request(f"{METADATA}/{path}", method=method, headers=headers)
    with urllib.request.urlopen(request, timeout=PATIENCE) as response:
        return str(response.read().decode())


def _shut_down(signum: int, frame: FrameType | None) -> None:
    pass_on("shutdown", _AT_SHUTDOWN)
    sys.exit(0)


if __name__ == "__main__":
    sys.exit(main())
