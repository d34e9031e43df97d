"""The consumer loop at work, on a broker without chance: what it holds back, what stops it, what it commits."""

import time

import pytest

from schemas import topics
from schemas.envelope import as_mapping
from schemas.records import LANES
from streams.consumer.isolation import TRIES_MAX
from streams.consumer.letters import Outgoing
from streams.consumer.loop import DRAIN_S, STALLED_AFTER_S
from streams.consumer.watchdog import Stalled
from tests.simulation.broker import Log
from tests.streams.office import PARTITIONS, WATERMARKS, WITHIN_S, Office, _topic


@pytest.fixture
def office() -> Office:
    office = Office()
    office.loop.open()
    office.turns(2)
    return office


def test_markers_behind_the_last_record_are_no_work(office: Office) -> None:
    """The process would leave, and the next one too, for as long as nothing is written behind them."""
    office.write("bulk", b"first")
    office.turns(1)
    office.work()
    for lane in LANES:
        office.broker.logs.setdefault((_topic(lane), 0), Log()).end += 1
    office.turns(round(4 * STALLED_AFTER_S))
    assert office.committed("bulk") == 1


def test_a_record_behind_markers_that_does_not_come_is_found(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    office.broker.logs[_topic("bulk"), 0] = Log(end=3)
    office.turns(round(2 * STALLED_AFTER_S))
    monkeypatch.setattr(office.members["bulk"], "consume", lambda *_: [])
    office.write("bulk", b"unread")
    with pytest.raises(Stalled, match="bulk"):
        office.turns(round(4 * STALLED_AFTER_S))


def test_a_letter_is_written_though_nothing_is_known_of_the_failure(office: Office) -> None:
    office.broker.append(Outgoing(_topic("bulk"), b"\0", b"bad", [("untellable", b"")]), PARTITIONS, 0)
    office.write("bulk", b"good")
    office.turns(1)
    office.work()
    office.turns(2)
    assert office.outcomes(topics.DEAD.name) == [b"bad"]
    assert office.committed("bulk") == 2


def test_results_that_no_topic_takes_are_a_letter(office: Office) -> None:
    office.write("bulk", b"large", b"good")
    office.turns(1)
    office.work()
    give_up_at = time.monotonic() + WITHIN_S
    while not office.outcomes(topics.DEAD.name) and time.monotonic() < give_up_at:
        time.sleep(0.01)
    office.turns(2)
    assert office.committed("bulk") == 2
    [letter] = office.broker.log(topics.DEAD.name)
    assert (letter.value, as_mapping(letter.headers)["packshot-error-code"]) == (b"large", "record_too_large")


def test_a_record_that_ended_its_process_too_often_is_not_tried_again(office: Office) -> None:
    for _ in range(TRIES_MAX):
        office.trials.attempt("test", (_topic("bulk"), 0), 1)
    office.write("bulk", b"good", b"killer", b"good")
    office.turns(1)
    office.work()
    office.turns(2)
    assert office.handled == [b"good", b"good"]
    assert office.outcomes(topics.DEAD.name) == [b"killer"]
    assert office.committed("bulk") == 3


def test_one_slow_delivery_holds_back_its_own_partition_only(office: Office) -> None:
    office.write("bulk", *[b"first"] * 30, partition=0)
    office.turns(1)
    slow = office.executor.lanes.take_now()
    assert slow is not None
    for _ in range(10):
        office.write("bulk", *[b"other"] * 4, partition=1)
        office.turns(1)
        office.work()
    assert office.members["bulk"].paused == {0}
    assert office.handled.count(b"other") == 40
    assert len(office.handled) <= 40 + WATERMARKS.span_high + WATERMARKS.read_max
    office.turns(2)
    assert office.group("bulk").committed[1] == office.broker.logs[_topic("bulk"), 1].end
    office.executor.work_on(slow)
    for _ in range(10):
        office.turns(1)
        office.work()
    office.turns(2)
    assert office.members["bulk"].paused == set()
    assert office.group("bulk").committed[0] == office.broker.logs[_topic("bulk"), 0].end


def test_a_lane_is_charged_for_what_its_work_took_and_not_for_its_wait_for_others(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    charged: list[float] = []
    monkeypatch.setattr(office.executor.lanes, "charge", lambda _turn, took_ms: charged.append(took_ms))
    office.write("bulk", b"batched", b"by a helper", b"refused after a wait", b"other")
    office.turns(1)
    office.work()
    assert charged == [1000, 1000, 1000, 0]


@pytest.mark.parametrize("backlog", [1_000, 100_000])
def test_a_backlog_of_any_length_costs_the_same_memory(office: Office, backlog: int) -> None:
    office.write("bulk", *[b"task"] * backlog)
    office.turns(50)
    assert office.executor.lanes.waiting("bulk") <= WATERMARKS.span_high + WATERMARKS.read_max
    assert office.loop.readers["bulk"].in_hand() == office.executor.lanes.waiting("bulk")


def test_a_full_lane_stops_none_of_the_others(office: Office) -> None:
    office.write("bulk", *[b"task"] * 40, partition=0)
    office.write("bulk", *[b"task"] * 40, partition=1)
    office.turns(10)
    assert office.members["bulk"].paused == {0, 1}
    office.write("urgent", b"urgent")
    office.turns(1)
    assert office.executor.lanes.waiting("urgent") == 1


def test_what_was_paused_when_it_was_revoked_flows_when_it_comes_back(office: Office) -> None:
    office.write("bulk", *[b"task"] * 40)
    office.turns(3)
    assert office.members["bulk"].paused == {0}
    office.broker.revoke(office.group("bulk"), 0)
    office.turns(2)
    office.turns(1)
    assert office.executor.lanes.waiting("bulk") >= WATERMARKS.span_high


def test_a_revocation_drops_what_waits_and_waits_for_what_runs(office: Office) -> None:
    office.write("bulk", b"runs", b"waits")
    office.turns(1)
    running = office.executor.lanes.take_now()
    assert running is not None
    slept: list[float] = []

    def meanwhile() -> None:
        slept.append(office.clock.now_s)
        if len(slept) == 5:
            office.executor.work_on(running)

    office.clock.meanwhile = meanwhile
    office.broker.revoke(office.group("bulk"), 0)
    office.loop.turn()
    assert len(slept) == 5
    assert office.group("bulk").committed == {0: 1}
    assert office.loop.readers["bulk"].ledger.ended == {"dropped": 1, "done": 1}


def test_a_revocation_waits_no_longer_than_its_budget(office: Office) -> None:
    office.write("bulk", b"runs for ever")
    office.turns(1)
    running = office.executor.lanes.take_now()
    began_s = office.clock.now_s
    office.broker.revoke(office.group("bulk"), 0)
    office.loop.turn()
    assert DRAIN_S <= office.clock.now_s - began_s <= DRAIN_S + 1
    assert office.committed("bulk") == 0
    assert running is not None
    office.executor.work_on(running)
    office.turns(2)
    assert office.committed("bulk") == 0  # its result came after the partition had gone


def test_while_one_lane_is_drained_the_others_are_read(office: Office) -> None:
    office.write("bulk", b"runs for ever")
    office.turns(1)
    office.executor.lanes.take_now()

    def meanwhile() -> None:
        if office.clock.now_s > began_s + 1 and not office.handled:
            office.write("urgent", b"urgent")
            office.handled.append(b"written")
        office.work()

    began_s = office.clock.now_s
    office.clock.meanwhile = meanwhile
    office.broker.revoke(office.group("bulk"), 0)
    office.loop.turn()
    assert office.handled == [b"written", b"urgent"]
