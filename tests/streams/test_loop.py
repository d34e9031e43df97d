"""The consumer loop at work, on a broker without chance: what it holds back, what stops it, what it commits."""

import threading
import time
from collections.abc import Callable, Sequence
from random import Random
from typing import Any

import pytest
from confluent_kafka import KafkaError, KafkaException

from loadtest.benchmarks.message import Message
from schemas import topics
from schemas.envelope import as_mapping
from schemas.records import LANES, Lane
from streams.consumer import work
from streams.consumer.clients import NotAcknowledged
from streams.consumer.isolation import TRIES_MAX, Isolation, MemoryTrials
from streams.consumer.letters import Delivery, Outgoing, RetryPolicy
from streams.consumer.loop import DRAIN_S, STALLED_AFTER_S, ConsumerLoop
from streams.consumer.reader import OnCommit, Watermarks
from streams.consumer.watchdog import Stalled
from streams.consumer.work import Executor
from streams.runtime.errors import Refused, Unavailable
from tests.simulation.broker import Broker, Group, Log, Member
from tests.simulation.clock import VirtualClock

PARTITIONS = 2
WATERMARKS = Watermarks(read_max=8, held_high=20, held_low=8, span_high=6, span_low=3)
WITHIN_S = 60.0


class NoChance(Random):
    """Everything that may happen happens at once."""

    def random(self) -> float:
        return 0.5

    def randint(self, _a: int, b: int) -> int:
        return b

    def choice(self, seq: Any) -> Any:
        return seq[0]

    def sample(self, population: Any, k: int, *, counts: Any = None) -> list[Any]:
        assert counts is None
        return list(population)[:k]


class Clock(VirtualClock):
    """Calls `meanwhile` whenever somebody sleeps."""

    meanwhile: Callable[[], None] = staticmethod(lambda: None)

    def sleep(self, seconds: float, /) -> None:
        super().sleep(seconds)
        self.meanwhile()


class Office:
    """One loop with its broker; it is handler and writer too. What happens to a delivery is written in it."""

    def __init__(self, threads: int = 0, retry_delays_ms: Sequence[int] = ()) -> None:
        self.clock = Clock()
        self.broker = Broker(NoChance(), lambda *_: None)
        self.members: dict[Lane, Member] = {}
        self.handled: list[bytes] = []
        self.unacknowledged: set[str] = set()
        self.gate = threading.Event()
        self.trials = MemoryTrials()
        isolation = Isolation("test", self.trials)
        self.executor = Executor("test", self, self, RetryPolicy(retry_delays_ms), isolation, threads, self.clock)
        lanes = {lane: (self._open(lane), _topic(lane)) for lane in LANES}
        self.loop = ConsumerLoop(
            "test", lanes, self.executor, self.broker.has_record, STALLED_AFTER_S, self.clock, WATERMARKS
        )

    def handle(self, delivery: Delivery, wait: work.Wait) -> Sequence[Outgoing]:
        self.handled.append(delivery.value)
        match delivery.value:
            case b"bad":
                raise Refused("bad", "no")
            case b"bug":
                raise ZeroDivisionError
            case b"away":
                raise Unavailable("the database is away")
            case b"slow":
                self.gate.wait(WITHIN_S)
            case b"aside":
                with wait.aside():
                    self.gate.wait(WITHIN_S)
            case b"batched":
                self.clock.now_s += 5.0
                wait.waited_s += 4.0
            case b"by a helper":
                self.clock.now_s += 5.0
                helper = threading.Thread(target=lambda: setattr(wait, "waited_s", wait.waited_s + 4.0))
                helper.start()
                helper.join()
            case b"refused after a wait":
                self.clock.now_s += 5.0
                wait.waited_s += 4.0
                raise Refused("bad", "no")
        return [Outgoing("done", delivery.key, delivery.value, [])]

    def give_up(self, delivery: Delivery, _refusal: Refused) -> Sequence[Outgoing]:
        if delivery.headers == [("untellable", b"")]:
            raise UnicodeEncodeError("utf-8", "\ud800", 0, 1, "surrogates not allowed")
        return []

    def send_later(self, records: Sequence[Outgoing], on_end: Callable[[KafkaError | None], None]) -> None:
        if any(record.topic == "done" and record.value == b"large" for record in records):
            on_end(KafkaError(KafkaError.MSG_SIZE_TOO_LARGE))
            return
        refused = any(record.topic in self.unacknowledged for record in records)
        for record in [] if refused else records:
            self.broker.append(record, 1, 0)
        on_end(KafkaError(KafkaError._MSG_TIMED_OUT) if refused else None)

    def write(self, lane: Lane, *values: bytes, partition: int = 0) -> None:
        for value in values:
            self.broker.append(Outgoing(_topic(lane), bytes([partition]), value, []), PARTITIONS, 0)

    def work(self, count: int = 1000) -> None:
        """The executor takes up to `count` jobs, one after the other."""
        while count and (turn := self.executor.lanes.take_now()) is not None:
            self.executor.work_on(turn)
            count -= 1

    def turns(self, count: int) -> None:
        for _ in range(count):
            self.loop.turn()
            self.clock.now_s += 1.0

    def group(self, lane: Lane) -> Group:
        return self.broker.groups[_topic(lane)]

    def committed(self, lane: Lane) -> int:
        """The committed offset of the first partition."""
        return self.group(lane).committed.get(0, 0)

    def outcomes(self, topic: str) -> list[bytes]:
        return [record.value for record in self.broker.log(topic)]

    def _open(self, lane: Lane) -> Callable[[OnCommit], Member]:
        def open_member(on_commit: OnCommit) -> Member:
            self.members[lane] = self.broker.open(_topic(lane), PARTITIONS, on_commit)
            return self.members[lane]

        return open_member


def _topic(lane: Lane) -> str:
    return topics.TASKS["cutout", lane].name


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


def test_a_letter_is_written_though_nothing_can_be_told_of_the_failure(office: Office) -> None:
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


def test_a_flood_of_dead_letters_pauses_its_lane_and_loses_none(office: Office) -> None:
    for _ in range(10):
        office.write("bulk", *[b"bad"] * 5)
        office.write("urgent", b"good")
        office.turns(1)
        office.work()
    assert office.loop.is_paused("bulk")
    assert office.handled.count(b"good") == 10
    for _ in range(400):
        office.turns(10)
        office.work()
    assert office.outcomes(topics.DEAD.name) == [b"bad"] * 50
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
    office = Office(threads=1)
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


def test_waiting_for_what_is_away_is_no_standstill_and_ends_when_it_is_told_to(monkeypatch: pytest.MonkeyPatch) -> None:
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


def test_an_error_of_the_broker_is_told_and_a_fatal_one_ends_the_loop(
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


def test_a_loop_that_is_told_to_stop_waits_for_nobody_for_ever(office: Office) -> None:
    office.write("standard", b"one", b"runs for ever")
    office.turns(1)
    office.work(1)
    office.executor.lanes.take_now()
    with pytest.raises(Stalled, match="told to stop"):
        office.loop.close()
    assert office.committed("standard") == 1
    assert office.group("standard").members == []


def test_a_loop_that_is_told_to_stop_commits_all_that_has_ended(office: Office) -> None:
    office.write("standard", b"one", b"two", b"three")
    office.turns(1)
    office.work(2)
    office.loop.close()
    assert office.group("standard").committed == {0: 2}
    assert office.group("standard").members == []
