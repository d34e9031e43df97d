"""Offsets and letters: the pure parts of the consumer."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from schemas.envelope import as_mapping
from schemas.records import Step, Task
from streams.consumer import letters
from streams.consumer.letters import Delivery, RetryPolicy, outgoing, returned
from streams.consumer.offsets import OffsetTracker
from streams.runtime.errors import Refused

EPOCH = 1


@given(st.permutations(range(8)), st.integers(0, 8))
def test_only_the_contiguous_prefix_is_committable(order: list[int], finished: int) -> None:
    tracker = OffsetTracker(EPOCH)
    for offset in range(8):
        tracker.track(10 + offset)
    for offset in order[:finished]:
        tracker.finish(10 + offset, EPOCH)
    first_unfinished = min(set(range(8)) - set(order[:finished]), default=8)
    assert tracker.committable() == 10 + first_unfinished
    assert tracker.in_flight == 8 - finished
    assert tracker.span == 8 - first_unfinished


def test_gaps_in_the_offsets_are_no_obstacle() -> None:
    tracker = OffsetTracker(EPOCH)
    for offset in (3, 7, 20):
        tracker.track(offset)
    tracker.finish(3, EPOCH)
    assert tracker.committable() == 7
    tracker.finish(20, EPOCH)
    tracker.finish(7, EPOCH)
    assert tracker.committable() == 21


def test_a_commit_is_asked_for_once_and_counted_once() -> None:
    tracker = OffsetTracker(EPOCH)
    assert tracker.committable() is None
    tracker.track(5)
    tracker.track(6)
    tracker.finish(5, EPOCH)
    assert tracker.committed(6) == 1
    assert tracker.committable() is None
    tracker.finish(6, EPOCH)
    assert tracker.committed(7) == 1


def test_offsets_that_go_back_are_a_bug() -> None:
    tracker = OffsetTracker(EPOCH)
    tracker.track(5)
    with pytest.raises(ValueError, match="offset 5"):
        tracker.track(5)


def test_what_was_read_under_another_assignment_finishes_nothing() -> None:
    tracker = OffsetTracker(epoch=2)
    tracker.track(5)
    tracker.finish(5, epoch=1)
    assert tracker.committable() == 5
    tracker.finish(5, epoch=2)
    assert tracker.committable() == 6


def test_an_end_that_is_reported_twice_is_a_bug() -> None:
    tracker = OffsetTracker(EPOCH)
    tracker.track(5)
    tracker.track(6)
    tracker.finish(5, EPOCH)
    with pytest.raises(KeyError):
        tracker.finish(5, EPOCH)


def test_a_commit_covers_only_what_it_names_although_more_has_ended_since() -> None:
    tracker = OffsetTracker(EPOCH)
    for offset in (5, 6, 7):
        tracker.track(offset)
    tracker.finish(5, EPOCH)
    committable = tracker.committable()
    tracker.finish(6, EPOCH)
    assert committable == 6
    assert tracker.committed(committable) == 1
    assert tracker.committable() == 7
    assert tracker.committed(7) == 1


DELIVERY = Delivery("imagery.catalog", 2, 7, b"demo|A", b"bytes", [("ce_id", b"1"), ("traceparent", b"00-x")], 123)


def test_a_transient_refusal_is_retried_with_growing_delays_and_then_dead() -> None:
    policy = RetryPolicy((1000, 5000), random_share=lambda: 0.5)
    refusal = Refused("away", "not there yet", field="skus", transient=True)
    first = policy.letter(DELIVERY, refusal, now_ms=10_000)
    assert (first.topic, first.key, first.value) == ("imagery.retry.1000ms", b"demo|A", b"bytes")
    headers = as_mapping(first.headers)
    assert (headers[letters.ATTEMPT], headers[letters.NOT_BEFORE], headers["traceparent"]) == ("1", "11100", "00-x")
    back = returned(Delivery(first.topic, 0, 0, first.key, first.value, first.headers))
    assert (back.topic, back.value) == ("imagery.catalog", b"bytes")
    again = Delivery(back.topic, 1, 9, back.key, back.value, back.headers)
    second = policy.letter(again, refusal, now_ms=20_000)
    assert second.topic == "imagery.retry.5000ms"
    last = policy.letter(Delivery(back.topic, 1, 11, back.key, back.value, second.headers), refusal, now_ms=30_000)
    assert last.topic == "imagery.dead"
    headers = as_mapping(last.headers)
    assert (headers[letters.FIRST_SEEN], headers[letters.ERROR_CODE], headers[letters.ERROR_FIELD]) == (
        "123",
        "away",
        "skus",
    )
    assert headers[letters.ORIGIN_OFFSET] == "11"
    history = Delivery(last.topic, 0, 0, last.key, last.value, last.headers).history
    assert [(failure.position, failure.at_ms, failure.attempt, failure.kind, failure.code) for failure in history] == [
        ("imagery.catalog/2/7", 10_000, 0, "transient", "away"),
        ("imagery.catalog/1/9", 20_000, 1, "transient", "away"),
        ("imagery.catalog/1/11", 30_000, 2, "transient", "away"),
    ]


def test_a_permanent_refusal_is_dead_at_once() -> None:
    letter = RetryPolicy((1000,)).letter(DELIVERY, Refused("bad", "no"), now_ms=1)
    assert letter.topic == "imagery.dead"
    assert as_mapping(letter.headers)[letters.ERROR_KIND] == "permanent"


def test_poison_is_dead_at_once_and_called_so() -> None:
    letter = RetryPolicy((1000,)).letter(DELIVERY, Refused("unexpected", "no", poison=True), now_ms=1)
    assert letter.topic == "imagery.dead"
    assert as_mapping(letter.headers)[letters.ERROR_KIND] == "poison"


def test_the_history_of_a_record_that_fails_for_ever_stays_bounded() -> None:
    record = DELIVERY
    for number in range(50):
        letter = RetryPolicy(()).letter(record, Refused(f"code-{number}", "no"), now_ms=number)
        record = Delivery("imagery.catalog", 0, number, letter.key, letter.value, letter.headers)
    kept = ["code-0", *(f"code-{number}" for number in range(31, 50))]
    assert [failure.code for failure in record.history] == kept, "the first says where it stood"


def test_headers_that_others_filled_with_rubbish_stop_nobody() -> None:
    rubbish = [(letters.ATTEMPT, b"many"), (letters.DEADLINE, "½".encode()), (letters.HISTORY, b"{")]
    delivery = Delivery("imagery.catalog", 0, 1, b"\xff|A", b"", [*rubbish, (letters.NOT_BEFORE, b"9" * 50)])
    assert (delivery.attempt, delivery.deadline_ms, delivery.not_before_ms) == (0, None, 0)
    assert (delivery.tenant, delivery.history) == ("\\xff", [])


@pytest.mark.parametrize("origin", [[], [(letters.ORIGIN_TOPIC, b"__consumer_offsets")]])
def test_a_letter_that_names_no_topic_of_ours_is_refused(origin: list[tuple[str, bytes]]) -> None:
    with pytest.raises(Refused, match="no topic") as refused:
        returned(Delivery("imagery.retry.1000ms", 0, 0, b"", b"", origin))
    assert refused.value.field == letters.ORIGIN_TOPIC


def test_a_task_says_its_deadline_and_tenant_where_nobody_has_to_decode_it() -> None:
    step = Step(operation="cutout")
    task = Task(task_id="a" * 64, tenant="demo", sku="A", version=1, lane="bulk", step=step, deadline_ms=77)
    record = outgoing(task, "test")
    delivery = Delivery(record.topic, 0, 0, record.key, record.value, record.headers)
    assert (delivery.tenant, delivery.deadline_ms) == ("demo", 77)
    without = outgoing(replace(task, deadline_ms=None), "test")
    assert letters.DEADLINE not in as_mapping(without.headers)
