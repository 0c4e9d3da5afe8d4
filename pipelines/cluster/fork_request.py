"""The program that Ray's raylet starts in place of a worker. It asks a server of
:mod:`pipelines.cluster.fork_server` to fork one. Both ends of the protocol are here.

It imports little, and only from the standard library, because it is run for every worker.
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
_HEAD = 4  # bytes that give the length of the message
_DONE = b"\1"

# `typing.NamedTuple` takes longer to import. `streams` holds file descriptors.
Request = namedtuple("Request", ["command", "environment", "folder", "open_files", "streams"])


def ask(address: str, command: Sequence[str]) -> bool:
    """Ask the server at ``address`` for a process that runs ``command``, with the environment,
    working directory, limit of open files and streams of this one. Returns whether it was
    forked."""
    import resource  # only on Unix

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
    """The request that :func:`ask` has sent; None if it is incomplete."""
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
    """Tell the client that its process is forked."""
    with suppress(OSError):  # the client is gone
        client.sendall(_DONE)


if __name__ == "__main__":
    if not ask(sys.argv[1], sys.argv[2:]):
        os.execv(sys.argv[2], sys.argv[2:])
