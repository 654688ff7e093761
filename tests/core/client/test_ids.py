import time
import uuid

from runcycles.ids import new_id, trace_of


def test_ids_are_uuids_of_version_seven() -> None:
    before = time.time_ns() // 1_000_000
    made = uuid.UUID(new_id())
    after = time.time_ns() // 1_000_000
    assert (made.version, made.variant) == (7, uuid.RFC_4122)
    assert before <= made.int >> 80 <= after


def test_ids_grow_with_time_and_differ_within_a_moment() -> None:
    made = [new_id() for _ in range(1_000)]
    assert len(set(made)) == len(made)
    assert [each[:13] for each in made] == sorted(each[:13] for each in made)


def test_every_bit_that_may_be_random_is() -> None:
    made = [uuid.UUID(new_id()).int for _ in range(500)]
    random = sum(1 << bit for bit in range(80) if bit not in {62, 63, 76, 77, 78, 79})
    seen_set = seen_clear = 0
    for each in made:
        seen_set |= each & random
        seen_clear |= ~each & random
    assert seen_set == seen_clear == random


def test_an_id_of_ours_is_its_own_trace() -> None:
    key = new_id()
    assert trace_of(key) == key.replace("-", "")


def test_any_key_has_a_trace_and_equal_keys_the_same() -> None:
    for key in ("run-7:call-2:1", "schlüssel", "0" * 32, "AB" * 16, ""):
        trace = trace_of(key)
        assert trace == trace_of(key)
        assert len(trace) == 32
        assert int(trace, 16) > 0
        assert trace == trace.lower()
