"""Which products are made again, and that facts are not rebuilt under a running streams role."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from confluent_kafka import Consumer
from msgspec.structs import replace

from schemas import codec, topics
from schemas.records import CatalogChanged, ReplanRequested, Verdict
from streams.commands.tables.replay import show_rebuilt
from streams.consumer import groups
from streams.consumer.clients import AcknowledgedProducer, consumer_config, make_topics
from streams.consumer.letters import outgoing
from streams.consumer.reading import read
from streams.embedded import choose_broker
from streams.facts import Database
from streams.runtime.errors import Refused
from streams.runtime.settings import Settings
from streams.services.operating import local, replanning
from streams.services.operating.replanning import Selection, select
from tests.streams.flow import upsert

CACHE = Path(__file__).parents[2] / ".cache"


@pytest.fixture(scope="module")
def bootstrap(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    broker = choose_broker(tmp_path_factory.mktemp("broker"), CACHE, "memory")
    broker.start()
    yield broker.bootstrap_servers
    broker.stop()


@pytest.fixture
def settings(bootstrap: str, tmp_path: Path) -> Settings:
    made = Settings(kafka_bootstrap_servers=bootstrap, data_folder=tmp_path, kafka_session_timeout_ms=6000)
    make_topics(made)
    return made


@pytest.fixture
def database(settings: Settings) -> Iterator[Database]:
    """Products A and B, the deleted C, and B of another tenant; amazon's picture of A was judged by older rules."""
    opened = Database(settings.database)
    opened.create_tables()
    with opened.begin() as facts:
        for event in (upsert(sku="A"), upsert(sku="B"), replace(upsert(sku="B"), tenant="other")):
            facts.products.put(event)
        facts.products.put(CatalogChanged(change="delete", tenant="demo", sku="C", version=2))
        facts.assets.put_plan("demo", "A", 1, {"amazon-1": ("amazon", None)})
        verdict = Verdict(outcome="pass", checks=[], rules="gates@2026-11,amazon@2026-05")
        facts.assets.move("demo", "A", "amazon-1", 1, "published", verdict=verdict)
    yield opened
    opened.close()


@pytest.mark.parametrize(
    ("selection", "products"),
    [
        (Selection(tenant="demo"), [("demo", "A"), ("demo", "B")]),
        (Selection(skus=frozenset("BC")), [("demo", "B"), ("other", "B")]),
        (Selection(skus=frozenset("B"), tenant="other"), [("other", "B")]),
        (Selection(rule="amazon@2026-05"), [("demo", "A")]),
        (Selection(rule="amazon@2026-11"), []),
        (Selection(rule="amazon@2026-05", skus=frozenset("B")), []),
    ],
)
def test_products_are_selected_by_everything_given(
    selection: Selection, products: list[tuple[str, str]], database: Database, settings: Settings
) -> None:
    assert select(selection, database, settings) == products


def test_products_are_selected_by_when_they_changed(database: Database, settings: Settings) -> None:
    producer = AcknowledgedProducer(settings)
    producer.send([outgoing(upsert(sku="A"), "test")])
    time.sleep(0.05)
    since_ms = time.time_ns() // 1_000_000
    producer.send([outgoing(upsert(sku="B"), "test")])
    producer.close()
    assert select(Selection(since_ms=since_ms), database, settings) == [("demo", "B")]
    assert select(Selection(since_ms=since_ms + 60_000), database, settings) == []


def test_a_rule_of_no_channel_is_refused(database: Database, settings: Settings) -> None:
    with pytest.raises(Refused, match="bazaar@1"):
        select(Selection(rule="bazaar@1"), database, settings)


def test_a_replan_stands_on_the_catalogs_topic_behind_what_it_is_about(settings: Settings) -> None:
    producer = AcknowledgedProducer(settings)
    replanning.replan([("demo", "Z")], "bulk", "new rules", producer)
    producer.close()
    (record,) = [each for each in read(settings, [topics.CATALOG.name]) if each.key == b"demo|Z"]
    assert codec.decode(record.value) == ReplanRequested(tenant="demo", sku="Z", lane="bulk", reason="new rules")


def test_facts_are_not_rebuilt_while_the_streams_role_is_at_work(kafka_bootstrap: str, tmp_path: Path) -> None:
    settings = Settings(kafka_bootstrap_servers=kafka_bootstrap, data_folder=tmp_path, kafka_session_timeout_ms=6000)
    make_topics(settings)
    consumer = Consumer(consumer_config(settings, groups.STREAMS))
    consumer.subscribe([topics.CATALOG.name])
    until = time.monotonic() + 30
    while not consumer.assignment() and time.monotonic() < until:
        consumer.poll(0.1)
    with pytest.raises(Refused, match="streams role is at work"):
        local.rebuild_facts(settings, print)
    consumer.close()
    rebuilt = local.rebuild_facts(settings, print)
    assert {each.table for each in rebuilt} >= {"products", "assets", "tasks"}
    show_rebuilt(rebuilt, as_json=True)
