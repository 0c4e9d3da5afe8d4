"""When a trial gets another attempt, and what it goes on from."""

import pytest

from pipelines.tuner.attempts import (
    Attempt,
    Cause,
    LeavingError,
    MemoryHeldError,
    pack,
    unpack,
)
from pipelines.tuner.outcome import cause_of

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


def test_memory_held_by_the_trial_before_counts_for_nothing() -> None:
    assert FIRST.after(Cause.MEMORY_HELD, 0, "c", 0.25) == Attempt("a", checkpoint="c")


def test_causes_are_told_apart() -> None:
    from ray.exceptions import RayActorError, RayTaskError

    memory = RayTaskError("step", "trace", RuntimeError("CUDA out of memory. Tried to"))
    library = RayTaskError("step", "trace", RuntimeError("CUBLAS_STATUS_ALLOC_FAILED when calling"))
    held = RayTaskError("reset", "trace", MemoryHeldError(2**30))
    leaving = RayTaskError("reset", "trace", LeavingError())
    other = RayTaskError("step", "trace", RuntimeError("no luck"))
    there = {"10.0.0.1"}.__contains__
    assert cause_of(memory, "10.0.0.1", there) is Cause.OUT_OF_MEMORY
    assert cause_of(library, "10.0.0.1", there) is Cause.OUT_OF_MEMORY
    assert cause_of(held, "10.0.0.1", there) is Cause.MEMORY_HELD
    assert cause_of(leaving, "10.0.0.1", there) is Cause.LEAVING
    assert cause_of(other, "10.0.0.1", there) is Cause.ERROR
    assert cause_of(other, "10.0.0.2", there) is Cause.ERROR  # raised after it had moved
    assert cause_of(RayActorError(), "10.0.0.1", there) is Cause.ERROR
    assert cause_of(RayActorError(), "10.0.0.2", there) is Cause.LOST
    assert cause_of(RayActorError(), "", there) is Cause.ERROR
    named = RayActorError(error_msg="The actor died unexpectedly.\n\tip: 10.0.0.2\nIts node died.")
    assert cause_of(named, "10.0.0.1", there) is Cause.LOST
    assert cause_of(RayActorError(preempted=True), "10.0.0.1", there) is Cause.LOST
