"""What hung on records that outlived their retention is made again; what cannot be is told until somebody has dealt
with it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from schemas import codec, topics
from schemas.records import CatalogChanged, PublishRequested, ReplanRequested, RetractRequested
from streams.consumer import groups
from streams.facts import Database, Loss, Losses
from streams.services.operating import retention
from tests.streams.flow import Flow, Recorder, done, published, tasks, upsert

COMPOSE = topics.TASKS["compose", "standard"].name
CUTOUT = topics.TASKS["cutout", "standard"].name


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    opened = Database(f"sqlite:///{tmp_path}/facts.db")
    opened.create_tables()
    yield opened
    opened.close()


@pytest.fixture
def flow(database: Database) -> Flow:
    return Flow(database)


def lose(database: Database, topic: str, behind: int = 4) -> None:
    Losses(database).note([Loss("packshot.some", topic, 1, 0, behind)])


def replans(database: Database) -> list[tuple[str, str, str]]:
    sender = Recorder()
    retention.recover(database, sender)
    events = [codec.decode(record.value) for record in sender.records]
    return [(each.tenant, each.sku, each.lane) for each in events if isinstance(each, ReplanRequested)]


def test_products_with_a_task_on_the_topic_are_made_again_once(flow: Flow, database: Database) -> None:
    waiting = flow.say(upsert(sku="WAITS"))
    (cut,) = tasks(flow.say(upsert(sku="DONE")))
    flow.say(done(cut))
    assert tasks(waiting)
    lose(database, CUTOUT)
    assert replans(database) == [("demo", "WAITS", "standard")]
    assert Losses(database).open() == []
    assert replans(database) == []


def test_a_lost_completion_is_a_task_that_still_waits(flow: Flow, database: Database) -> None:
    flow.say(upsert(sku="WAITS"))
    lose(database, topics.COMPLETED.name)
    assert replans(database) == [("demo", "WAITS", "standard")]


def test_a_lost_request_to_retract_a_deleted_product_comes_again(flow: Flow, database: Database) -> None:
    answers = flow.say(upsert(sku="GONE"))
    while not (requests := [each for each in answers if isinstance(each, PublishRequested)]):
        answers = [after for task in tasks(answers) for after in flow.say(done(task))]
    flow.say(published(requests[0]))
    flow.say(CatalogChanged(change="delete", tenant="demo", sku="GONE", version=2))
    lose(database, topics.PUBLISH.name)
    assert replans(database) == [("demo", "GONE", "standard")]
    answers = flow.say(ReplanRequested(tenant="demo", sku="GONE", lane="bulk", reason="lost"))
    assert [(each.sku, each.assets) for each in answers if isinstance(each, RetractRequested)] == [("GONE", None)]


def test_what_others_wrote_is_reported_until_somebody_has_dealt_with_it(database: Database) -> None:
    lose(database, topics.CATALOG.name)
    products, left = retention.recover(database, Recorder())
    assert products == {}
    assert [each.topic for each in left] == [topics.CATALOG.name]
    assert Losses(database).open() == left
    Losses(database).settle(left)
    assert Losses(database).open() == []


def test_a_loss_that_grows_is_to_be_dealt_with_again_and_one_that_was_announced_again_is_not(
    database: Database,
) -> None:
    lose(database, CUTOUT)
    Losses(database).settle(Losses(database).open())
    lose(database, CUTOUT)
    assert Losses(database).open() == []
    lose(database, CUTOUT, behind=9)
    assert [each.behind for each in Losses(database).open()] == [9]


def test_losses_outlive_facts_that_are_made_anew(database: Database) -> None:
    lose(database, CUTOUT)
    with database.replaced():
        pass
    assert len(Losses(database).open()) == 1


def test_every_role_that_reads_notes_its_own_groups() -> None:
    from streams.services.operating.roles import _groups

    roles = [("streams", None), ("publisher", None), ("retrier", None), ("worker", "cutout"), ("worker", "compose")]
    roles += [("webhooks", None), ("connectors", None)]
    noted = [group for role, pool in roles for group in _groups(role, pool)]  # type: ignore[arg-type]
    assert sorted(noted) == sorted(groups.readers((1000,)))
