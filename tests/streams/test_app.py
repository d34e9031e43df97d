"""The Faust app's consumer; what the app does with events is tried on real brokers, end to end."""

import asyncio

import pytest
from aiokafka import AIOKafkaConsumer
from faust.transport.drivers.aiokafka import AIOKafkaConsumerThread

from streams.app import _ConsumerThread


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
