"""What Ray's raylet starts in the place of a worker: a program that asks a server of
:mod:`pipelines.cluster.fork_server` for one, and both ends of what is said.

It imports what comes with Python, and little of that: it starts with every worker.
"""

from __future__ import annotations

import array
import json
import os
import socket
import sys
from collections import namedtuple
from collections.abc import Sequence
from contextlib import suppress

_STREAMS = 3  # standard input, output and error
_HEAD = 4  # bytes that say how many follow
_DONE = b"\1"

# `typing.NamedTuple` takes longer to import. Their streams are the numbers of open files.
Request = namedtuple("Request", ["command", "environment", "folder", "open_files", "streams"])


def ask(address: str, command: Sequence[str]) -> bool:
    """Whether the server at ``address`` has forked a process that does ``command``, with this
    one's environment, folder, limit of open files and streams."""
    import resource  # which only Unix has

    streams = array.array("i", range(_STREAMS))
    with suppress(OSError), socket.socket(socket.AF_UNIX) as channel:
        channel.connect(address)
        limit = resource.getrlimit(resource.RLIMIT_NOFILE)
        what = [command, dict(os.environ), os.getcwd(), limit]  # noqa: PTH109
        told = json.dumps(what).encode()
        files = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, streams)]
        channel.sendmsg([len(told).to_bytes(_HEAD, "big")], files)
        channel.sendall(told)
        return channel.recv(len(_DONE)) == _DONE
    return False


def read(client: socket.socket) -> Request | None:
    """What :func:`ask` has sent; None where it has gone before its end."""
    head, streams, _, _ = socket.recv_fds(client, _HEAD, _STREAMS)
    length, told = int.from_bytes(head, "big"), b""
    while len(told) < length and (more := client.recv(length - len(told))):
        told += more
    if told and len(told) == length and len(streams) == _STREAMS:
        command, environment, folder, open_files = json.loads(told)
        return Request(command, environment, folder, open_files, streams)
    for stream in streams:
        os.close(stream)
    return None


def answer(client: socket.socket) -> None:
    """It is done."""
    with suppress(OSError):  # it has gone
        client.sendall(_DONE)


if __name__ == "__main__":
    if not ask(sys.argv[1], sys.argv[2:]):
        os.execv(sys.argv[2], sys.argv[2:])
