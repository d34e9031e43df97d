"""The loop: what is not acknowledged, what breaks, and how it stops."""

import os
import sys
import threading
import time
from collections.abc import Callable

import pytest
from confluent_kafka import KafkaError, KafkaException

from loadtest.benchmarks.message import Message
from schemas import topics
from streams.consumer.clients import NotAcknowledged
from streams.consumer.letters import Delivery, Outgoing
from streams.consumer.loop import STALLED_AFTER_S
from streams.consumer.watchdog import Stalled
from streams.consumer.work import YIELDING_NICE
from tests.simulation.broker import Member
from tests.streams.office import PARTITIONS, WITHIN_S, Office, _topic


@pytest.fixture
def office() -> Office:
    office = Office()
    office.loop.open()
    office.turns(2)
    return office


def test_what_is_lost_is_not_committed(office: Office) -> None:
    office.write("bulk", b"one", b"two")
    office.turns(1)
    office.work(1)
    office.broker.throw_out(office.members["bulk"])
    office.loop.turn()
    assert office.committed("bulk") == 0
    assert office.loop.readers["bulk"].ledger.ended["dropped"] == 1


def test_a_dead_letter_that_is_not_acknowledged_ends_the_loop_uncommitted() -> None:
    office = Office(threads=1)
    office.unacknowledged.add(topics.DEAD.name)
    office.write("bulk", b"bad", b"good")
    with pytest.raises(NotAcknowledged):
        office.loop.run(threading.Event())
    assert office.committed("bulk") == 0


def test_a_result_that_is_not_acknowledged_ends_the_loop_uncommitted() -> None:
    office = Office(threads=1)
    office.unacknowledged.add("done")
    office.write("urgent", b"good")
    with pytest.raises(NotAcknowledged):
        office.loop.run(threading.Event())
    assert office.committed("urgent") == 0


def test_a_flood_of_what_was_sent_wrong_holds_up_nobody(office: Office) -> None:
    for _ in range(10):
        office.write("bulk", *[b"bad"] * 5)
        office.turns(1)
        office.work()
    office.write("bulk", b"good")
    office.turns(2)
    office.work()
    assert not office.loop.is_paused("bulk")
    assert office.handled.count(b"good") == 1


def test_a_flood_of_what_may_be_our_fault_pauses_its_lane_and_loses_none(office: Office) -> None:
    for _ in range(10):
        office.write("bulk", *[b"bug"] * 5)
        office.write("urgent", b"good")
        office.turns(1)
        office.work()
    assert office.loop.is_paused("bulk")
    assert office.handled.count(b"good") == 10
    for _ in range(400):
        office.turns(10)
        office.work()
    assert office.outcomes(topics.DEAD.name) == [b"bug"] * 50
    office.turns(2)
    assert office.group("bulk").committed[0] == office.broker.logs[_topic("bulk"), 0].end


def test_an_unexpected_error_is_retried_and_is_poison_in_the_end() -> None:
    office = Office(retry_delays_ms=[1000])
    office.loop.open()
    office.turns(2)
    office.write("bulk", b"bug")
    office.turns(1)
    office.work()
    [letter] = office.broker.log(topics.retry(1000).name)
    office.broker.append(Outgoing(_topic("bulk"), b"\0", letter.value, letter.headers), PARTITIONS, 0)
    office.turns(1)
    office.work()
    [dead] = office.broker.log(topics.DEAD.name)
    assert ("packshot-error-kind", b"poison") in dead.headers
    history = Delivery(dead.topic, 0, 0, dead.key, dead.value, list(dead.headers)).history
    assert [failure.kind for failure in history] == ["transient", "poison"]


def test_a_worker_that_hangs_ends_the_loop() -> None:
    office = Office(threads=1)
    office.write("bulk", b"slow")
    try:
        office.loop.open()
        with pytest.raises(Stalled, match="test-0"):
            office.turns(2 * round(STALLED_AFTER_S))
    finally:
        office.gate.set()
        office.executor.stop()


def test_urgent_work_has_a_thread_while_other_work_stands_aside() -> None:
    office = Office(threads=1, urgent_threads=1)
    office.executor.lanes._lanes["urgent"].credit_ms = 0.0  # it has had its share
    office.write("bulk", b"aside", b"after it")
    try:
        office.loop.open()
        turn_until(office, lambda: b"aside" in office.handled)
        office.write("urgent", b"quick")
        turn_until(office, lambda: b"quick" in office.handled)
        assert office.handled == [b"aside", b"quick"]
        office.gate.set()
        turn_until(office, lambda: b"after it" in office.handled)
        assert office.executor.lanes._aside == 0
    finally:
        office.gate.set()
        office.executor.stop()


def turn_until(office: Office, is_so: Callable[[], bool]) -> None:
    give_up_at = time.monotonic() + WITHIN_S
    while not is_so():
        assert time.monotonic() < give_up_at
        office.loop.turn()
        time.sleep(0.002)


def test_a_partition_that_is_never_fetched_ends_the_loop(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    office.write("standard", b"never seen")
    monkeypatch.setattr(Member, "_fetch", lambda _self, _count: [])
    with pytest.raises(Stalled, match="standard"):
        office.turns(2 * round(STALLED_AFTER_S))


def test_waiting_for_what_is_away_is_no_stall_and_ends_when_it_is_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("streams.runtime.waiting.AWAY_WAIT_S", 0.005)
    office = Office(threads=1)
    office.write("bulk", b"away")
    office.loop.open()
    while len(office.handled) < 200:
        office.loop.turn()
        office.clock.now_s += STALLED_AFTER_S / 40
        threading.Event().wait(0.005)
    # The worker is a real thread: the virtual minute that it is given to end takes real time as well.
    office.clock.meanwhile = lambda: time.sleep(0.002)
    office.loop.close()
    assert office.loop.readers["bulk"].ledger.ended == {"dropped": 1}
    assert office.committed("bulk") == 0


def test_an_error_of_the_broker_is_reported_and_a_fatal_one_ends_the_loop(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    errors = [
        Message(error=KafkaError(KafkaError._TRANSPORT)),
        Message(error=KafkaError(KafkaError._FATAL, fatal=True)),
    ]
    monkeypatch.setattr(Member, "_fetch", lambda _self, _count: [errors.pop(0)] if errors else [])
    with pytest.raises(KafkaException):
        office.turns(1)
    assert errors == []


def test_a_loop_that_is_stopped_waits_for_nobody_for_ever(office: Office) -> None:
    office.write("standard", b"one", b"runs for ever")
    office.turns(1)
    office.work(1)
    office.executor.lanes.take_now()
    with pytest.raises(Stalled, match="told to stop"):
        office.loop.close()
    assert office.committed("standard") == 1
    assert office.group("standard").members == []


def test_a_loop_that_is_stopped_commits_all_that_has_ended(office: Office) -> None:
    office.write("standard", b"one", b"two", b"three")
    office.turns(1)
    office.work(2)
    office.loop.close()
    assert office.group("standard").committed == {0: 2}
    assert office.group("standard").members == []


def test_urgent_work_does_not_wait_for_a_thread_that_works_on_something_else() -> None:
    office = Office(threads=1, urgent_threads=1)
    office.write("bulk", b"slow", b"after it")
    try:
        office.loop.open()
        turn_until(office, lambda: b"slow" in office.handled)
        office.write("urgent", b"quick", b"and another")
        turn_until(office, lambda: b"and another" in office.handled)
        assert office.handled == [b"slow", b"quick", b"and another"]
    finally:
        office.gate.set()
        office.executor.stop()


def test_urgent_work_that_had_its_share_is_left_to_the_usual_threads() -> None:
    office = Office(threads=1, urgent_threads=1)
    office.executor.lanes._lanes["urgent"].credit_ms = 0.0
    office.write("bulk", b"slow")
    try:
        office.loop.open()
        turn_until(office, lambda: b"slow" in office.handled)
        office.write("urgent", b"quick")
        office.turns(20)
        assert office.handled == [b"slow"]
        office.gate.set()
        turn_until(office, lambda: b"quick" in office.handled)
    finally:
        office.gate.set()
        office.executor.stop()


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux knows of nice threads")
def test_other_work_yields_the_processor_to_urgent_work() -> None:
    office = Office(threads=1, urgent_threads=1)
    own = os.getpriority(os.PRIO_PROCESS, 0)
    try:
        office.loop.open()
        office.write("bulk", b"nice")
        turn_until(office, lambda: len(office.nice) == 1)
        office.write("urgent", b"nice")
        turn_until(office, lambda: len(office.nice) == 2)
        assert office.nice == [YIELDING_NICE, own]
    finally:
        office.executor.stop()
