"""When a trial gets another attempt, and what it goes on from."""

import pytest

from pipelines.search.attempts import Attempt, Cause, cause_of, pack, unpack

FIRST = Attempt("a")


def test_a_config_and_its_attempt_travel_together() -> None:
    attempt = Attempt("a", checkpoint="s3://bucket/x", losses=2)
    assert unpack(pack({"lr": 0.1}, attempt), "other") == ({"lr": 0.1}, attempt)


def test_a_first_attempt_is_called_as_ray_calls_it() -> None:
    assert unpack({"lr": 0.1}, "a") == ({"lr": 0.1}, FIRST)


def test_a_lost_machine_does_not_count_as_a_failure() -> None:
    attempt: Attempt | None = FIRST
    for n in range(1, 20):
        assert attempt is not None
        attempt = attempt.after(Cause.LOST, max_failures=0, checkpoint="c")
        assert attempt == Attempt("a", checkpoint="c", losses=n)


def test_machines_that_always_die_end_a_trial() -> None:
    assert Attempt("a", losses=100).after(Cause.LOST, 0, None) is None


@pytest.mark.parametrize("allowed", [0, 1, 3])
def test_a_trial_fails_as_often_as_it_may(allowed: int) -> None:
    attempt: Attempt | None = FIRST
    for _ in range(allowed):
        assert attempt is not None
        attempt = attempt.after(Cause.ERROR, allowed, None)
    assert attempt is not None
    assert attempt.errors == allowed
    assert attempt.after(Cause.ERROR, allowed, None) is None


def test_too_little_memory_gives_one_more_attempt_with_twice_the_share() -> None:
    again = FIRST.after(Cause.OUT_OF_MEMORY, 0, None)
    assert again == Attempt("a", share=2.0)
    assert again.after(Cause.OUT_OF_MEMORY, 0, None) is None


def test_causes_are_told_apart() -> None:
    from ray.exceptions import RayActorError, RayTaskError

    memory = RayTaskError("step", "trace", RuntimeError("CUDA out of memory. Tried to"))
    other = RayTaskError("step", "trace", RuntimeError("no luck"))
    assert cause_of(memory, lost_node=False) is Cause.OUT_OF_MEMORY
    assert cause_of(other, lost_node=False) is Cause.ERROR
    assert cause_of(RayActorError(), lost_node=False) is Cause.ERROR
    assert cause_of(RayActorError(), lost_node=True) is Cause.LOST
    preempted = RayActorError(preempted=True)
    assert cause_of(preempted, lost_node=False) is Cause.LOST
