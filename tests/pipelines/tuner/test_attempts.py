"""When a trial gets another attempt, and from where it is resumed."""

import pytest

from pipelines.tuner.attempts import Attempt, AttemptError, Cause, pack, unpack
from pipelines.tuner.outcome import explain

FIRST = Attempt("a")


def test_a_config_and_its_attempt_travel_together() -> None:
    attempt = Attempt("a", seed=3, checkpoint="s3://bucket/x", machines_lost=2)
    assert unpack(pack({"lr": 0.1}, attempt), "other") == ({"lr": 0.1}, attempt)


def test_a_first_attempt_is_called_as_ray_calls_it() -> None:
    assert unpack({"lr": 0.1}, "a") == ({"lr": 0.1}, FIRST)


def test_a_lost_machine_does_not_count_as_a_failure() -> None:
    attempt: Attempt | None = FIRST
    for n in range(1, 20):
        assert attempt is not None
        attempt = attempt.after(Cause.LOST, max_failures=0, checkpoint="c")
        assert attempt == Attempt("a", checkpoint="c", machines_lost=n)


def test_machines_that_always_die_end_a_trial() -> None:
    assert Attempt("a", machines_lost=100).after(Cause.LOST, 0, None) is None


@pytest.mark.parametrize("allowed", [0, 1, 3])
def test_a_trial_fails_as_often_as_it_may(allowed: int) -> None:
    attempt: Attempt | None = FIRST
    for _ in range(allowed):
        assert attempt is not None
        attempt = attempt.after(Cause.ERROR, allowed, None)
    assert attempt is not None
    assert attempt.failures == allowed
    assert attempt.after(Cause.ERROR, allowed, None) is None


def test_too_little_memory_gives_one_more_attempt_with_twice_the_share() -> None:
    again = FIRST.after(Cause.OUT_OF_MEMORY, 0, None, gpus=0.25)
    assert again == Attempt("a", gpus=0.5)
    assert again.after(Cause.OUT_OF_MEMORY, 9, None, gpus=0.5) is None


@pytest.mark.parametrize("gpus", [0.0, 1.0, 2.0])
def test_too_little_memory_without_a_larger_share_is_an_error_like_any(gpus: float) -> None:
    assert FIRST.after(Cause.OUT_OF_MEMORY, 0, None, gpus) is None
    assert FIRST.after(Cause.OUT_OF_MEMORY, 1, None, gpus) == Attempt("a", failures=1)


def test_twice_the_share_is_one_gpu_at_most() -> None:
    again = FIRST.after(Cause.OUT_OF_MEMORY, 0, None, gpus=0.6)
    assert again == Attempt("a", gpus=1.0)


@pytest.mark.parametrize("cause", [Cause.MEMORY_HELD, Cause.SPOILED, Cause.LEAVING])
def test_what_keeps_a_trial_from_starting_counts_for_nothing(cause: Cause) -> None:
    assert FIRST.after(cause, 0, "c", 0.25) == Attempt("a", checkpoint="c")


def test_a_trial_whose_checkpoint_is_damaged_starts_anew_without_it() -> None:
    assert FIRST.after(Cause.DAMAGED, 0, "c") == Attempt("a")


def test_a_process_that_dies_does_not_count_as_a_failure_until_it_always_does() -> None:
    attempt: Attempt | None = FIRST
    for n in range(1, 4):
        assert attempt is not None
        attempt = attempt.after(Cause.DIED, 0, "c")
        assert attempt == Attempt("a", checkpoint="c", processes_lost=n)
    assert attempt is not None
    assert attempt.after(Cause.DIED, 9, "c") is None


def test_a_machine_without_memory_ends_a_trial_that_ran_alone() -> None:
    first = FIRST.after(Cause.NO_MEMORY, 0, None, alone=False)
    assert first == Attempt("a", out_of_memory=1)
    second = first.after(Cause.NO_MEMORY, 0, None, alone=False)
    assert second == Attempt("a", out_of_memory=2)
    assert second.after(Cause.NO_MEMORY, 9, None, alone=True) is None
    # Alone from the start: trials before it may have left its process large.
    assert FIRST.after(Cause.NO_MEMORY, 0, None, alone=True) == first


def test_a_trial_that_hangs_fails_like_one_that_raises() -> None:
    assert FIRST.after(Cause.HUNG, 0, None) is None
    assert FIRST.after(Cause.HUNG, 1, None) == Attempt("a", failures=1)


def cause_of(error: Exception, node: str) -> Cause:
    """The cause of a failure if only the machine at 10.0.0.1 is alive."""
    return explain(error, "Traceback\nRuntimeError: told", node, {"10.0.0.1"}.__contains__).cause


def test_causes_are_told_apart() -> None:
    from ray.exceptions import ActorUnavailableError, RayActorError, RayTaskError

    memory = RayTaskError("step", "trace", RuntimeError("CUDA out of memory. Tried to"))
    library = RayTaskError("step", "trace", RuntimeError("CUBLAS_STATUS_ALLOC_FAILED when calling"))
    cudnn = RuntimeError("cuDNN error: CUDNN_STATUS_INTERNAL_ERROR_DEVICE_ALLOCATION_FAILED")
    held = RayTaskError("reset", "trace", AttemptError(Cause.MEMORY_HELD))
    other = RayTaskError("step", "trace", RuntimeError("no luck"))
    assert cause_of(memory, "10.0.0.1") is Cause.OUT_OF_MEMORY
    assert cause_of(library, "10.0.0.1") is Cause.OUT_OF_MEMORY
    assert cause_of(RayTaskError("step", "trace", cudnn), "10.0.0.1") is Cause.OUT_OF_MEMORY
    assert cause_of(held, "10.0.0.1") is Cause.MEMORY_HELD
    assert cause_of(other, "10.0.0.1") is Cause.ERROR
    assert cause_of(other, "10.0.0.2") is Cause.ERROR  # raised after it had moved
    assert cause_of(RayActorError(), "10.0.0.1") is Cause.DIED
    assert cause_of(RayActorError(), "10.0.0.2") is Cause.LOST
    assert cause_of(RayActorError(), "") is Cause.DIED
    named = RayActorError(error_msg="The actor died unexpectedly.\n\tip: 10.0.0.2\nIts node died.")
    assert cause_of(named, "10.0.0.1") is Cause.LOST
    assert cause_of(RayActorError(preempted=True), "10.0.0.1") is Cause.LOST
    silent = ActorUnavailableError("RpcError: RPC error: Socket closed rpc_code: 14", None)
    assert cause_of(silent, "10.0.0.1") is Cause.DIED
    assert cause_of(silent, "") is Cause.LOST  # it died in its first epoch


def test_ray_says_in_its_own_way_that_memory_ran_out() -> None:
    from ray.exceptions import RayActorError

    told = (
        "1 worker(s) were killed due to the node running low on memory. Memory on the node (IP: "
        "127.0.0.1, ID: b2) was 4.92GB used / 23.54GB limit (0.209011)\nOOM kill reason: ..."
    )
    failure = explain(RayActorError(error_msg=told), told, "", lambda node: True)
    assert failure.cause is Cause.NO_MEMORY
    assert failure.error == f"{Cause.NO_MEMORY.value} (4.92GB of 23.54GB were in use)"


def test_an_error_of_a_megabyte_is_a_line() -> None:
    from ray.exceptions import RayTaskError

    said = "x" * 2**20
    raised = RayTaskError("step", "trace", RuntimeError(said))
    failure = explain(raised, f"Traceback\nRuntimeError: {said}", "", lambda node: True)
    assert failure.error.startswith("RuntimeError: xxx")
    assert len(failure.error) < 400
    assert len(failure.traceback) < 30_000
