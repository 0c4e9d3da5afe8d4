import pytest
from ray.exceptions import ObjectStoreFullError, OutOfDiskError

from pipelines.cluster.room import room
from pipelines.record.patience import StorageError


@pytest.mark.parametrize("error", [ObjectStoreFullError, OutOfDiskError])
def test_data_that_find_no_room_are_said_in_a_line(error: type[Exception]) -> None:
    with pytest.raises(StorageError, match=r"^no room for the data .* RAY_TMPDIR .*$"), room():
        raise error("Local disk is full\nTip: use df")


def test_other_errors_stay_what_they_are() -> None:
    with pytest.raises(ZeroDivisionError), room():
        _ = 1 / 0
