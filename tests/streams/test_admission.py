"""Admission: the pace is learnt from what was answered, and what would be late is refused before any work."""

import time
from collections.abc import Mapping

import pytest

from schemas.operations.base import Pool
from schemas.records import Step, Task
from streams.consumer.clients import AcknowledgedProducer, make_topics
from streams.consumer.letters import outgoing
from streams.runtime.settings import Settings
from streams.services.ordering import admission
from streams.services.ordering.admission import Admission, OverCapacity, Unread
from tests.simulation.clock import VirtualClock

SOON_S = 120


class Lane:
    """What others have asked, and a clock of its own."""

    def __init__(self) -> None:
        self.others: dict[Pool, int] = {}
        self.clock = VirtualClock()
        self.admission = Admission(self._seen, self.clock)

    def _seen(self, _own: Mapping[Pool, int]) -> Mapping[Pool, int]:
        return self.others

    def work(self, took_s: float, pool: Pool = "cutout") -> None:
        place = self.admission.begin(pool)
        self.clock.sleep(took_s)
        self.admission.end(place, was_done=True)

    def now_ms(self) -> int:
        return round(self.clock.time() * 1000)

    def takes(self, within_s: float, *pools: Pool) -> bool:
        try:
            self.admission.check(list(pools or ("cutout",)), self.now_ms() + round(within_s * 1000))
        except OverCapacity:
            return False
        return True


@pytest.fixture
def lane() -> Lane:
    return Lane()


def test_what_nobody_has_measured_is_let_through(lane: Lane) -> None:
    lane.others = {"cutout": 1000}
    assert lane.takes(1)


def test_a_place_takes_what_it_took(lane: Lane) -> None:
    lane.work(0.5)
    assert lane.takes(0.1), "nothing is ahead: it may try"
    lane.others = {"cutout": 2}
    assert lane.takes(1.5 / admission.FILLED_SHARE + 0.1)
    assert not lane.takes(1.5 / admission.FILLED_SHARE - 0.1)


def test_what_this_gateway_has_asked_is_ahead_too(lane: Lane) -> None:
    lane.work(1.0)
    places = [lane.admission.begin("cutout") for _ in range(4)]
    assert not lane.takes(4)
    for place in places:
        lane.admission.end(place, was_done=False)
    assert lane.takes(4)


def test_the_time_of_a_task_is_shared_with_those_that_were_ahead(lane: Lane) -> None:
    lane.others = {"cutout": 9}
    for _ in range(50):
        lane.work(1.0)
    assert lane.takes(1.0 / admission.FILLED_SHARE + 0.05)
    assert not lane.takes(1.0 / admission.FILLED_SHARE - 0.05)


def test_every_step_has_its_place(lane: Lane) -> None:
    lane.work(1.0)
    lane.work(1.0, "compose")
    lane.others = {"compose": 1}
    assert lane.takes(3.0 / admission.FILLED_SHARE + 0.1, "cutout", "compose")
    assert not lane.takes(3.0 / admission.FILLED_SHARE - 0.1, "cutout", "compose")


def test_when_to_come_again_is_when_there_would_be_room(lane: Lane) -> None:
    lane.work(1.0)
    lane.others = {"cutout": 9}
    with pytest.raises(OverCapacity) as refused:
        lane.admission.check(["cutout"], lane.now_ms() + 2000)
    assert (refused.value.retry_after_s, refused.value.transient) == (8, True)


def test_what_nobody_has_read_is_seen_on_the_broker(memory_bootstrap: str) -> None:
    settings = Settings(kafka_bootstrap_servers=memory_bootstrap)
    make_topics(settings)
    producer, unread = AcknowledgedProducer(settings), Unread(settings)
    step = Step(operation="packshot", channel="web")
    tasks = [
        Task(task_id=f"{n:064x}", tenant="demo", sku=f"{n}", version=1, lane="urgent", step=step) for n in range(5)
    ]
    try:
        before = seen(unread, {})
        producer.send([outgoing(each, "test") for each in tasks])
        give_up_at = time.monotonic() + SOON_S
        while (now := seen(unread, {}))["compose"] != before["compose"] + 5:
            assert time.monotonic() < give_up_at
        while seen(unread, {"compose": now["compose"] - 1})["compose"] != 1:  # all but one are its own
            assert time.monotonic() < give_up_at
    finally:
        unread.close()
        producer.close()


def seen(unread: Unread, own: Mapping[Pool, int]) -> Mapping[Pool, int]:
    give_up_at = time.monotonic() + SOON_S
    while not (found := unread.others(own)):
        assert time.monotonic() < give_up_at
        time.sleep(0.05)
    return found
