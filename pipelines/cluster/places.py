"""Places relative to a storage, so that they stay valid if the storage is moved."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from contextlib import suppress
from pathlib import PurePosixPath

from pyarrow.fs import FileSelector, FileSystem, FileType


def place_in(storage: str, path: str) -> str:
    """``path`` relative to ``storage``, which is an absolute path or a URI. ``path`` is in the file
    system of the storage."""
    return path.removeprefix(FileSystem.from_uri(storage)[1].rstrip("/") + "/")


def inside(storage: str, place: str) -> str:
    """The folder ``place`` of a storage, as a path or a URI. The query of a URI, after "?", such as
    the address of your own S3 server, stays at its end."""
    root, query = _without_query(storage)
    return f"{root.rstrip('/')}/{place}{query}"


def parent_name(place: str) -> str:
    """The name of the folder that holds ``place``, which is a path or a URI."""
    return PurePosixPath(_without_query(place)[0]).parent.name


def _without_query(place: str) -> tuple[str, str]:
    """A path or a URI without its query, and the query with its "?"; a path has none."""
    root, mark, query = place.partition("?") if "://" in place else (place, "", "")
    return root, mark + query


def why_unreachable(storage: str) -> str:
    """Why nothing can be looked up in ``storage``; "" if it answers, also if it is not there. An
    S3 storage without network or credentials takes seconds."""
    try:
        filesystem, root = FileSystem.from_uri(storage)
        filesystem.get_file_info(root)
    except (OSError, ValueError) as error:
        return " ".join(str(error).split()) or repr(error)
    return ""


def find_in(storages: Sequence[str], place: str) -> str | None:
    """The folder ``place`` in the first storage that has it, as a path or a URI."""
    for storage in storages:
        try:
            filesystem, root = FileSystem.from_uri(storage)
            found = filesystem.get_file_info(f"{root}/{place}").type
        except (OSError, ValueError):  # the storage is gone, or this machine cannot reach it
            continue
        if found == FileType.Directory:
            return inside(storage, place)
    return None


def clear(storage: str, place: str, keep: Collection[str] = ()) -> None:
    """Delete the contents of the folder ``place``, except for the names in ``keep``. What cannot be
    deleted stays."""
    with suppress(OSError):
        filesystem, root = FileSystem.from_uri(storage)
        for entry in filesystem.get_file_info(
            FileSelector(f"{root}/{place}", allow_not_found=True)
        ):
            if entry.base_name in keep:
                continue
            with suppress(OSError):
                if entry.type == FileType.Directory:
                    filesystem.delete_dir(entry.path)
                else:
                    filesystem.delete_file(entry.path)
