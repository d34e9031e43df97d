"""Waiting for what is away: it ends when that is back, and at once when the process is told to stop."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NoReturn, cast

import pytest

from streams.blobs import StoreRefused
from streams.consumer.isolation import Isolation, MemoryTrials
from streams.consumer.letters import Delivery, RetryPolicy, outgoing
from streams.facts import Database, DatabaseUnavailable, Facts
from streams.flow import app
from streams.flow.processing import Processing
from streams.runtime.errors import Unavailable
from streams.runtime.exits import Exit
from streams.runtime.waiting import Stopped, until, wait_out
from tests.streams.flow import Recorder, upsert

WITHIN_S = 60.0


@pytest.fixture(autouse=True)
def quickly(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("streams.runtime.waiting.AWAY_WAIT_S", 0.01)


def away(times: int, error: Exception) -> Callable[[], str]:
    """Is away so often, and then there."""
    left = iter(range(times))

    def attempt() -> str:
        if next(left, None) is not None:
            raise error
        return "there"

    return attempt


def test_it_waits_for_what_is_away_and_for_nothing_else() -> None:
    stay = until(threading.Event())
    assert wait_out(away(3, Unavailable("x")), stay) == "there"
    assert wait_out(away(3, StoreRefused("x")), stay, also=(StoreRefused,)) == "there"
    with pytest.raises(StoreRefused):
        wait_out(away(3, StoreRefused("x")), stay)


class AwayDatabase:
    """A database that never answers; `requests` is set once somebody has."""

    def __init__(self) -> None:
        self.requests = threading.Event()

    @contextmanager
    def begin(self) -> Iterator[Facts]:
        self.requests.set()
        raise DatabaseUnavailable("away")
        yield

    read = begin


class AwayTrials(MemoryTrials):
    """The same of what is counted beside the facts."""

    def __init__(self) -> None:
        super().__init__()
        self.requests = threading.Event()

    def start(self, *_: object) -> NoReturn:
        self.requests.set()
        raise DatabaseUnavailable("away")


def record() -> Delivery:
    made = outgoing(upsert(), "test")
    return Delivery(made.topic, 0, 1, made.key, made.value, made.headers)


def ended(work: Callable[[], object], requests: threading.Event, stop: threading.Event) -> BaseException | None:
    """How the work ends that waits for what is away, when it is told to stop."""
    errors: list[BaseException | None] = []

    def run() -> None:
        try:
            work()
            errors.append(None)
        except BaseException as error:
            errors.append(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    assert requests.wait(WITHIN_S)
    assert thread.is_alive(), "it waits"
    stop.set()
    thread.join(WITHIN_S)
    assert errors, "it still waits"
    return errors[0]


def test_a_batch_of_the_flow_that_waits_for_the_database_heeds_a_stop() -> None:
    database, recorder = AwayDatabase(), Recorder()
    processing = Processing(cast(Database, database), recorder, RetryPolicy((1000,)))
    error = ended(lambda: processing.run([record()]), database.requests, processing.stopping)
    assert isinstance(error, Stopped)
    assert recorder.records == [], "no letter: whoever has the partition next reads it again"
    assert not processing.is_waiting


def test_a_batch_whose_care_is_not_known_heeds_a_stop() -> None:
    trials, run = AwayTrials(), cast(Any, pytest.fail)
    isolation = Isolation("streams", trials)
    error = ended(lambda: isolation.work([record()], run, run), trials.requests, isolation.stopping)
    assert isinstance(error, Stopped)
    assert not isolation.is_waiting


def test_a_role_that_begins_heeds_a_stop() -> None:
    database, stop = AwayDatabase(), threading.Event()
    assert isinstance(
        ended(lambda: wait_out(lambda: database.begin().__enter__(), until(stop)), database.requests, stop), Stopped
    )


def test_a_batch_that_was_stopped_is_not_committed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Faust commits what an agent leaves behind, so the process ends before it can."""

    def ended(status: int) -> NoReturn:
        raise SystemExit(status)

    monkeypatch.setattr("streams.flow.app.os._exit", ended)
    app._leave_if_failed(None, [record()])
    for error, status in ((Stopped(), Exit.OK), (RuntimeError(), Exit.BROKE)):
        with pytest.raises(SystemExit) as left:
            app._leave_if_failed(error, [record()])
        assert left.value.code == status
