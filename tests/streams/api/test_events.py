"""What happens to products, as it is told: to its tenant only, and on from where a listener was cut off."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any

import pytest

from schemas.records import AssetRetracted
from streams.api.callers import Caller
from streams.api.gateway import Gateway
from streams.api.routes import events
from streams.consumer.letters import Delivery, outgoing
from streams.facts import Database
from streams.services.access import keys
from streams.services.submitting.progress import Progress


@pytest.fixture(autouse=True)
def quiet(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Progress, "_read", lambda _self: None)  # the records are told here


def record(offset: int, tenant: str = "demo", sku: str = "A") -> Delivery:
    event = AssetRetracted(
        tenant=tenant, sku=sku, version=1, asset="amazon-1", reason="gone", urls=[], retracted_at_ms=1
    )
    made = outgoing(event, "test")
    return Delivery(made.topic, 0, offset, made.key, made.value, made.headers, 1)


async def heard(stream: AsyncIterator[Any], count: int) -> list[tuple[str, str]]:
    found = []
    async for message in stream:
        if message.event is not None:
            found.append((message.event, str(message.id or "").rpartition("/")[2]))
        if len(found) == count:
            break
    await stream.aclose()  # type: ignore[attr-defined]
    return found


@pytest.fixture
def caller(gateway: Gateway, database: Database) -> Caller:
    return Caller(gateway, keys.create(database, "shop", ("demo",))[1], "demo")


def test_a_listener_hears_of_its_own_and_goes_on_behind_the_last(caller: Caller) -> None:
    async def course() -> None:
        progress = caller.gateway.progress
        listening = asyncio.create_task(heard(events._events(caller, None, None, None), 2))
        while not progress._listeners:
            await asyncio.sleep(0.01)
        for each in (record(1), record(2, tenant="other"), record(3, sku="B")):
            progress.tell(each)
        assert await listening == [("AssetRetracted", "1"), ("AssetRetracted", "3")]
        assert not progress._listeners
        assert await heard(events._events(caller, None, record(1).position, None), 1) == [("AssetRetracted", "3")]
        assert await heard(events._events(caller, None, "imagery.published/0/99", None), 1) == [("reset", "3")]

    asyncio.run(course())


def test_who_listens_for_a_while_hears_what_was_missed_and_the_end(caller: Caller) -> None:
    async def course() -> None:
        progress = caller.gateway.progress
        for each in (record(1), record(2), record(3)):
            progress.tell(each)
        missed = [("AssetRetracted", "2"), ("AssetRetracted", "3")]
        assert await heard(events._events(caller, None, record(1).position, 0), 9) == missed
        assert await heard(events._events(caller, None, record(3).position, 0), 9) == []
        listening = asyncio.create_task(heard(events._events(caller, None, record(3).position, 1), 9))
        while not progress._listeners:
            await asyncio.sleep(0.01)
        progress.tell(record(4))
        assert await listening == [("AssetRetracted", "4")]
        assert not progress._listeners

    asyncio.run(course())


def test_who_is_cut_off_before_anything_happened_goes_on_as_well(caller: Caller) -> None:
    async def began(after: str | None = None) -> Any:
        stream = events._events(caller, None, after, 0)
        first = await anext(stream)
        await stream.aclose()  # type: ignore[attr-defined]
        return first

    async def course() -> None:
        progress = caller.gateway.progress
        nothing_yet = await began()
        progress.tell(record(1))
        assert await heard(events._events(caller, None, nothing_yet.id, 0), 9) == [("AssetRetracted", "1")]
        now = await began()
        assert (now.id, now.data) == (record(1).position, None)
        progress.tell(record(2, tenant="other"))
        progress.tell(record(3))
        assert await heard(events._events(caller, None, now.id, 0), 9) == [("AssetRetracted", "3")]
        assert (await began(now.id)).id is None, "which would leave out what was missed"
        assert await heard(events._events(caller, None, "unknown", 0), 9) == [("reset", "3")]

    asyncio.run(course())


def test_the_end_is_reported_to_those_who_listen(caller: Caller) -> None:
    async def course() -> None:
        caller.gateway.progress.close()
        with contextlib.suppress(StopAsyncIteration):
            assert await heard(events._events(caller, None, None, None), 1) == []

    asyncio.run(course())


def test_what_waits_for_a_listener_that_takes_nothing_is_bounded(
    caller: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[asyncio.Queue[Any]] = []

    class Seen(asyncio.Queue[Any]):
        def __init__(self) -> None:
            super().__init__()
            made.append(self)

    async def course() -> None:
        monkeypatch.setattr(events, "WAITING_MAX", 10)
        monkeypatch.setattr(asyncio, "Queue", Seen)
        stream = events._events(caller, None, None, None)
        await anext(stream)  # it is connected, and reads no further
        for number in range(100):
            caller.gateway.progress.tell(record(number))
        await asyncio.sleep(0)
        assert made[0].qsize() == 11
        with pytest.raises(StopAsyncIteration):
            await anext(stream)
        assert not caller.gateway.progress._listeners

    asyncio.run(course())
