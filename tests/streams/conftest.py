"""What several tests of the flow stand on: processors on a database of their own, publishers on topics of their own."""

from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest

from schemas import topics
from streams.facts import Database
from tests.streams.flow import Flow
from tests.streams.publisher_desk import Desk


@pytest.fixture
def flow(tmp_path: Path) -> Iterator[Flow]:
    """The processors, without a broker."""
    database = Database(f"sqlite:///{tmp_path}/facts.db")
    database.create_tables()
    yield Flow(database)
    database.close()


@pytest.fixture(params=["sqlite", "postgresql"])
def either_database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    """The facts on either database."""
    sqlite = request.param == "sqlite"
    opened = Database(f"sqlite:///{tmp_path}/facts.db" if sqlite else request.getfixturevalue("postgres_url"))
    opened.create_tables()
    yield opened
    opened.drop_tables()
    opened.close()


@pytest.fixture
def desk(memory_bootstrap: str, tmp_path: Path) -> Desk:
    """A publisher's surroundings on the in-memory broker."""
    return Desk(memory_bootstrap, tmp_path)


@pytest.fixture
def kafka_desk(kafka_bootstrap: str, tmp_path: Path) -> Desk:
    """A publisher's surroundings on Apache Kafka: the other one shows nothing behind an aborted transaction."""
    return Desk(kafka_bootstrap, tmp_path)


@pytest.fixture(params=["memory", "kafka"])
def each_desk(request: pytest.FixtureRequest, tmp_path: Path) -> Desk:
    """A publisher's surroundings on either broker."""
    return Desk(request.getfixturevalue(f"{request.param}_bootstrap"), tmp_path)


@pytest.fixture
def own_topics(monkeypatch: pytest.MonkeyPatch) -> None:
    """Topics that no other test writes to. To be asked for before a desk, which makes them."""
    for name in ("PUBLISH", "PUBLISHED", "DEAD", "COMPLETED"):
        topic = topics.Topic(f"{name.lower()}-{uuid4().hex[:8]}", getattr(topics, name).records)
        monkeypatch.setattr(topics, name, topic)
    own = (topics.PUBLISH, topics.PUBLISHED, topics.COMPLETED)
    monkeypatch.setattr(topics, "_TOPIC_OF", {record: topic for topic in own for record in topic.records})
    monkeypatch.setattr(topics, "_RECORDS_ON", {topic.name: topic.records for topic in own})
