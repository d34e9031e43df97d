"""The rate breaker and the watchdog, on virtual time."""

import pytest
from prometheus_client import REGISTRY
from structlog.testing import capture_logs

from streams.consumer.breaker import ENDED_MIN, PAUSE_S, PROBES, WINDOW, Breaker
from streams.consumer.watchdog import Stalled, Watchdog
from tests.simulation.clock import VirtualClock


class Gate:
    """A breaker, and what it last allowed."""

    def __init__(self) -> None:
        self.clock = VirtualClock()
        self.allowed: int | None = None
        self.breaker = Breaker("test", "bulk", self._allow, self.clock)

    def note(self, how: str, count: int, tenant: str = "demo", *, is_ours: bool = True) -> None:
        for _ in range(count):
            self.breaker.note(how, tenant, is_ours=is_ours)

    def wait(self, seconds: float) -> None:
        self.clock.sleep(seconds)
        self.breaker.look()

    @property
    def shown(self) -> float | None:
        return REGISTRY.get_sample_value("packshot_breaker_open", {"role": "test", "lane": "bulk"})

    def _allow(self, count: int | None) -> None:
        self.allowed = count


@pytest.fixture
def gate() -> Gate:
    return Gate()


def test_it_opens_and_alarms_when_most_of_what_ends_is_dead(gate: Gate) -> None:
    gate.note("dead", ENDED_MIN - 1)
    assert not gate.breaker.is_open
    with capture_logs() as logs:
        gate.note("dead", 1)
    assert (gate.breaker.is_open, gate.allowed, gate.shown) == (True, 0, 1.0)
    assert [(line["log_level"], line["dead_share"]) for line in logs] == [("error", 1.0)]


def test_half_dead_is_not_most_and_what_was_long_ago_counts_no_more(gate: Gate) -> None:
    for _ in range(WINDOW):
        gate.note("done", 1)
        gate.note("dead", 1)
    assert not gate.breaker.is_open
    gate.note("done", WINDOW)
    gate.note("dead", WINDOW // 2)
    assert not gate.breaker.is_open
    gate.note("dead", 1)
    assert gate.breaker.is_open


def test_probes_that_end_well_close_it(gate: Gate) -> None:
    gate.note("dead", ENDED_MIN)
    gate.note("done", 50)  # what was still running says nothing of what follows
    gate.wait(PAUSE_S - 1)
    assert gate.allowed == 0
    gate.wait(1)
    assert gate.allowed == PROBES
    gate.note("done", PROBES - 1)
    assert gate.breaker.is_open
    gate.note("done", 1)
    assert not gate.breaker.is_open
    assert gate.allowed is None
    assert gate.shown == 0.0


def test_a_probe_that_is_dead_opens_it_again(gate: Gate) -> None:
    gate.note("dead", ENDED_MIN)
    gate.wait(PAUSE_S)
    gate.note("done", PROBES - 1)
    gate.note("dead", 1)
    assert (gate.breaker.is_open, gate.allowed) == (True, 0)


def test_probes_that_are_dropped_are_sent_again(gate: Gate) -> None:
    gate.note("dead", ENDED_MIN)
    gate.wait(PAUSE_S)
    gate.allowed = 0
    gate.note("dropped", PROBES)
    gate.wait(PAUSE_S)
    assert gate.allowed == PROBES


def test_what_was_sent_wrong_pauses_nothing_however_much_there_is(gate: Gate) -> None:
    gate.note("dead", 10 * WINDOW, is_ours=False)
    assert not gate.breaker.is_open
    gate.note("dead", WINDOW // 2, is_ours=True)
    gate.note("dead", 1, is_ours=True)
    assert gate.breaker.is_open
    gate.wait(PAUSE_S)
    gate.note("dead", PROBES, is_ours=False)  # each was answered
    assert not gate.breaker.is_open


def test_one_tenant_does_not_pause_those_whose_work_ends_well(gate: Gate) -> None:
    for _ in range(WINDOW):
        gate.note("dead", 9, "hostile")
        gate.note("done", 1, "good")
        assert not gate.breaker.is_open
    gate.note("dead", 1, "good")
    for tenant in ("hostile", "good"):
        gate.note("dead", WINDOW // 2, tenant)
    assert gate.breaker.is_open


def test_one_tenant_pauses_others_no_longer_than_until_the_first_of_theirs_ends_well(gate: Gate) -> None:
    gate.note("dead", WINDOW, "hostile")
    assert gate.breaker.is_open
    gate.wait(PAUSE_S)
    gate.note("done", 1, "good")
    gate.note("dead", 1, "hostile")
    assert not gate.breaker.is_open


def stalled_s(watchdog: Watchdog, clock: VirtualClock, name: str) -> float:
    """For how long something may stand from now on, looked at every ten seconds, before it is found."""
    began_s = clock.monotonic()
    for _ in range(100):
        try:
            watchdog.look({name: 7})
        except Stalled:
            return clock.monotonic() - began_s
        clock.sleep(10.0)
    pytest.fail("it was never found")


def test_what_stands_still_with_work_to_do_ends_the_process() -> None:
    clock = VirtualClock()
    watchdog = Watchdog(100.0, clock)
    for position in range(20):
        watchdog.look({"moves": position, "stands": 7})
        clock.sleep(10.0) if position < 10 else None
    clock.sleep(10.0)
    with pytest.raises(Stalled, match="stands stood at 7"):
        watchdog.look({"moves": 20, "stands": 7})


def test_without_work_nothing_stands_still() -> None:
    clock = VirtualClock()
    watchdog = Watchdog(100.0, clock)
    for turn in range(30):
        watchdog.look({"idle": 7} if turn % 10 else {})
        clock.sleep(10.0)
    watchdog.look({})
    assert stalled_s(watchdog, clock, "idle") == 110.0, "with work it has its whole patience, and is then found"


def test_time_in_which_the_process_was_paused_counts_for_nothing() -> None:
    clock = VirtualClock()
    watchdog = Watchdog(100.0, clock)
    watchdog.look({"worker": 7})
    clock.sleep(10_000.0)
    watchdog.look({"worker": 7})
    clock.sleep(40.0)
    watchdog.look({"worker": 7})
    paused_s = clock.monotonic()
    assert stalled_s(watchdog, clock, "worker") > 0, "it does not count as having stood for 10,000 s"
    assert clock.monotonic() - paused_s <= 100.0, "and is found all the same"
