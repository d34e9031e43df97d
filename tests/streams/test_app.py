"""The Faust app as it is set up; what it does with events is tried on real brokers, end to end."""

import asyncio
from pathlib import Path

from streams.app import build_app
from streams.catalogue import Catalogue
from streams.consumer.letters import RetryPolicy
from streams.processing import CONSUMED, Processing
from streams.settings import Settings
from tests.streams.flow import Recorder


def test_announcements_that_are_not_committed_are_not_read(tmp_path: Path) -> None:
    processing = Processing(Catalogue(f"sqlite:///{tmp_path}/facts.db"), Recorder(), RetryPolicy(()))
    app = build_app(Settings(kafka_bootstrap_servers="127.0.0.1:1", data_folder=tmp_path), processing)
    assert set(app.agents) == {topic.name for topic in CONSUMED}

    async def isolation_level() -> str:
        thread = app.consumer._new_consumer_thread()
        return str(thread._create_worker_consumer(app.transport)._isolation_level)

    assert asyncio.run(isolation_level()) == "read_committed"
