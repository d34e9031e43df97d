"""The Faust app's consumer; what the app does with events is tried on real brokers, end to end."""

import asyncio
from typing import Any

import pytest
from aiokafka import AIOKafkaConsumer
from faust.transport.drivers.aiokafka import AIOKafkaConsumerThread

from streams.app import _Consumer, _ConsumerThread


def test_announcements_that_are_not_committed_are_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(AIOKafkaConsumerThread, "_create_worker_consumer", lambda *_: AIOKafkaConsumer())

    async def isolation_levels() -> tuple[str, str]:
        faust_own, ours = (
            AIOKafkaConsumer(),
            _ConsumerThread._create_worker_consumer(object.__new__(_ConsumerThread), None),
        )
        levels = faust_own._isolation_level, ours._isolation_level
        for consumer in (faust_own, ours):
            await consumer.stop()
        return levels

    assert asyncio.run(isolation_levels()) == ("read_uncommitted", "read_committed")


def test_a_message_that_can_be_handed_on_at_once_takes_no_task() -> None:
    async def handed_on() -> tuple[bool, int]:
        consumer = _consumer()
        before = len(asyncio.all_tasks())
        tasks: list[int] = []

        async def hand_on() -> None:
            tasks.append(len(asyncio.all_tasks()) - before)

        result = await consumer.wait_first(hand_on(), asyncio.Event().wait())
        return result.stopped, tasks[0]

    assert asyncio.run(handed_on()) == (False, 0)


def test_a_message_that_has_to_wait_is_handed_on_later() -> None:
    async def handed_on() -> list[str]:
        consumer, room, done = _consumer(), asyncio.Event(), []

        async def hand_on() -> None:
            done.append("began")
            await room.wait()
            await asyncio.sleep(0)
            done.append("ended")

        waiting = asyncio.ensure_future(consumer.wait_first(hand_on(), asyncio.Event().wait()))
        await asyncio.sleep(0.01)
        done.append("room")
        room.set()
        await waiting
        return done

    assert asyncio.run(handed_on()) == ["began", "room", "ended"]


def test_a_message_that_waits_is_let_go_when_the_flow_is_suspended() -> None:
    async def suspended() -> tuple[bool, bool]:
        consumer, suspend, cancelled = _consumer(), asyncio.Event(), []

        async def hand_on() -> None:
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                cancelled.append(True)
                raise

        waiting = asyncio.ensure_future(consumer.wait_first(hand_on(), suspend.wait()))
        await asyncio.sleep(0.01)
        suspend.set()
        result = await waiting
        await asyncio.sleep(0.01)
        return result.stopped, cancelled == [True]

    assert asyncio.run(suspended()) == (False, True)


def test_an_error_at_handing_on_is_not_swallowed() -> None:
    async def failing(at_once: bool) -> None:
        async def hand_on() -> None:
            if not at_once:
                await asyncio.sleep(0)
            raise LookupError("no such stream")

        await _consumer().wait_first(hand_on(), asyncio.Event().wait())

    for at_once in (True, False):
        with pytest.raises(LookupError):
            asyncio.run(failing(at_once))


def test_a_consumer_that_stops_hands_on_nothing_more() -> None:
    async def stopping() -> bool:
        consumer = _consumer()
        consumer._stopped.set()

        async def hand_on() -> None: ...

        return bool((await consumer.wait_first(hand_on(), asyncio.Event().wait())).stopped)

    assert asyncio.run(stopping())


def _consumer() -> Any:
    """One that is connected to nothing."""
    consumer = object.__new__(_Consumer)
    consumer._stopped, consumer._crashed = asyncio.Event(), asyncio.Event()
    consumer._loop = asyncio.get_running_loop()
    return consumer
