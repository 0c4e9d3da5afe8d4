"""Events of a search, for the Overview of Ray's dashboard."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path


def tell(message: str) -> None:
    """Add an event. Ray has no public function for this; if the private one fails, do nothing."""
    with suppress(Exception):
        from ray._private import worker
        from ray._private.event.event_logger import get_event_logger
        from ray.core.generated.event_pb2 import Event

        logs = Path(worker._global_node.get_session_dir_path(), "logs")
        get_event_logger(Event.SourceType.JOBS, str(logs)).info(message)
