"""Texts that databases disagree about: every write of the facts ends the same on SQLite and on PostgreSQL."""

from collections.abc import Callable, Iterator

import msgspec
import pytest
from msgspec.structs import replace
from sqlalchemy import create_engine, inspect, text

from schemas.records import (
    AssetPublished,
    CampaignRequested,
    Check,
    ModelAdded,
    ModelReleased,
    PublishRequested,
    RecipeReleased,
    ReviewDecided,
    ReviewRequested,
    Shadow,
    Source,
    Step,
    Task,
    TaskFailed,
    Verdict,
)
from streams.facts import Database, EventKey, Facts, Refusal, Share, tables
from streams.runtime.errors import Refused
from tests.streams.flow import blob, done, published, upsert

HOSTILE = {
    "a NUL": "a\0b",
    "only a NUL": "\0",
    "half a character": "\udc80",
    "half of a pair": "a\ud83d",
    "beyond the first plane": "😀𝔘",
    "right to left": "שלום \u202eabc",
    "a long one": "x" * 65_536,
    "a long one of many bytes": "漢" * 129,
    "marks upon marks": "e" + "\u0301" * 60,
    "controls": "\x1b[31m\x7f\x9b\r\n",
    "SQL": "'; DROP TABLE products; --",
    "nothing": "",
    "white space": " \t ",
    "no characters": "\ufffe\uffff",
}
VERDICT = Verdict(outcome="pass", checks=[], rules="r")


def _task(text: str) -> Task:
    return Task(
        task_id="1" * 64, tenant="demo", sku=text, version=1, lane="bulk", step=Step(operation="cutout"),
        source=Source(uri="a.jpg"),
    )  # fmt: skip


def _completed(text: str) -> ReviewRequested:
    task = replace(_task("A"), step=Step(operation="packshot", asset=text, channel="amazon"))
    return ReviewRequested(review_id="2" * 64, completed=done(task), verdict=VERDICT, reason=text)


def _published(text: str) -> AssetPublished:
    request = _request(text)
    return replace(request, verdict=replace(VERDICT, checks=[Check(point="p", name=text, outcome="pass")]))


def _request(text: str) -> AssetPublished:
    return published(
        PublishRequested(
            tenant="demo", sku=text, version=1, asset="a", channel="amazon", file=blob(), verdict=VERDICT,
            engine="e", result_id="r",
        )
    )  # fmt: skip


def _moved(facts: Facts, text: str) -> None:
    facts.assets.put_plan("demo", "A", 1, {"a": ("amazon", None)})
    facts.assets.move("demo", "A", "a", 1, "not made", reason=text)


def _decide(facts: Facts, text: str) -> None:
    facts.reviews.put(_completed("a"))
    facts.reviews.decide(_decided(text), "approved")


def _decided(text: str) -> ReviewDecided:
    return ReviewDecided(review_id="2" * 64, tenant="demo", sku="A", approved=True, reason=text)


def _campaign(facts: Facts, text: str) -> None:
    facts.campaigns.put(CampaignRequested(tenant="demo", campaign="c", skus=[text], channels=["amazon"]))


def _share(text: str) -> Share:
    return Share("1" * 64, text, "a", "demo", "A", 1, "amazon", "cutout", "", 0.0, 0.0, 0, 0, 0.0, 0)


def _shadow(text: str) -> Shadow:
    return Shadow(model=text)


WRITES: dict[str, Callable[[Facts, str], object]] = {
    "put_product": lambda facts, hostile: facts.products.put(upsert(sku=hostile)),
    "put_product, its title": lambda facts, hostile: facts.products.put(replace(upsert(), title=hostile)),
    "put_plan, sku": lambda facts, hostile: facts.assets.put_plan("demo", hostile, 1, {"a": ("amazon", None)}),
    "put_plan, asset": lambda facts, hostile: facts.assets.put_plan("demo", "A", 1, {hostile: ("amazon", None)}),
    "put_plan, campaign": lambda facts, hostile: facts.assets.put_plan("demo", "A", 1, {"a": ("amazon", hostile)}),
    "move_asset, name": lambda facts, hostile: facts.assets.move("demo", "A", hostile, 1, "not made"),
    "move_asset, reason": _moved,
    "put_live": lambda facts, hostile: facts.assets.put_live(_request(hostile)),
    "put_live, its verdict": lambda facts, hostile: facts.assets.put_live(_published(hostile)),
    "retracted": lambda facts, hostile: facts.assets.put_gone("demo", "A", hostile),
    "put_task": lambda facts, hostile: facts.tasks.put(_task(hostile)),
    "put_task, failed": lambda facts, hostile: facts.tasks.put(
        TaskFailed(task=_task("A"), kind="permanent", code="c", message=hostile)
    ),
    "put_review": lambda facts, hostile: facts.reviews.put(_completed(hostile)),
    "decide_review": _decide,
    "supersede_reviews": lambda facts, hostile: facts.reviews.supersede_older("demo", hostile, 1),
    "supersede_other_reviews": lambda facts, hostile: facts.reviews.supersede_others("demo", "A", hostile, hostile),
    "put_campaign": _campaign,
    "put_costs": lambda facts, hostile: facts.costs.put([_share(hostile)]),
    "put_accepted": lambda facts, hostile: facts.costs.accept(_request(hostile)),
    "put_model": lambda facts, hostile: facts.models.put(
        ModelAdded(operation="cutout", model=hostile, manifest=hostile, added_at_ms=1)
    ),
    "put_release": lambda facts, hostile: facts.models.put_release(
        ModelReleased(operation=hostile, model="m@1", stage="stable", released_at_ms=1)
    ),
    "put_shadow": lambda facts, hostile: facts.models.put_shadow(replace(done(_task("A")), shadow=_shadow(hostile))),
    "put_recipe": lambda facts, hostile: facts.recipes.put(
        RecipeReleased(recipe=hostile, version=1, text=hostile, released_at_ms=1)
    ),
    "put_refusal": lambda facts, hostile: facts.refusals.put(
        Refusal(EventKey(*[hostile] * 4), hostile, hostile, hostile, hostile)
    ),
    "drop_refusal": lambda facts, hostile: facts.refusals.drop(EventKey(*[hostile] * 4), hostile),
    "product": lambda facts, hostile: facts.products.get("demo", hostile),
    "refusal": lambda facts, hostile: facts.refusals.get(EventKey(*[hostile] * 4)),
}


@pytest.fixture(scope="module")
def catalogues(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Database, Database]]:
    folder = tmp_path_factory.mktemp("facts")
    both = Database(f"sqlite:///{folder}/facts.db"), Database(request.getfixturevalue("postgres_url"))
    for each in both:
        each.create_tables()
    yield both
    for each in both:
        each.drop_tables()
        each.close()


def ending(database: Database, write: Callable[[Facts, str], object], hostile: str) -> object:
    """What the tables hold afterwards, or the code of what was refused; the tables are left empty."""

    class Undone(Exception):
        """Ends the transaction."""

    found: list[object] = []
    try:
        with database.begin() as facts:
            facts.at(1)
            try:
                with facts.savepoint():
                    write(facts, hostile)
            except Refused as refusal:
                found.append((refusal.code, str(refusal)))
            except msgspec.ValidationError as error:  # of what is read back: no record that is decoded holds it
                found.append(("invalid_record", str(error)))
            found.append(_rows(facts))
            raise Undone
    except Undone:
        return found


def _rows(facts: Facts) -> list[tuple[str, ...]]:
    return [
        (table.name, *map(str, row))
        for table in tables.metadata.sorted_tables
        for row in facts._transaction.connection.execute(table.select()).all()
    ]


@pytest.mark.parametrize("hostile", HOSTILE)
@pytest.mark.parametrize("write", WRITES)
def test_every_write_ends_the_same_on_both(write: str, hostile: str, catalogues: tuple[Database, Database]) -> None:
    sqlite, postgresql = (ending(each, WRITES[write], HOSTILE[hostile]) for each in catalogues)
    assert sqlite == postgresql


@pytest.mark.parametrize("hostile", HOSTILE)
def test_a_refusal_is_noted_whatever_a_stranger_wrote(hostile: str, catalogues: tuple[Database, Database]) -> None:
    found = HOSTILE[hostile]
    for database in catalogues:
        with database.begin() as facts:
            event = EventKey(found, found, found, found)
            facts.refusals.put(Refusal(event, found, found, found, found))
            noted = facts.refusals.get(event)
            assert noted is not None
            facts.refusals.drop(event, "elsewhere")
            assert facts.refusals.get(event) is None


def test_a_database_of_before_takes_longer_texts(postgres_url: str) -> None:
    database, engine = Database(postgres_url), create_engine(postgres_url.replace("://", "+psycopg://"))
    database.create_tables()
    with engine.begin() as connection:
        connection.execute(text("ALTER TABLE refusals ALTER COLUMN event_id TYPE varchar(128)"))
        connection.execute(text("ALTER TABLE products ALTER COLUMN sku TYPE varchar(16)"))
    with database.begin() as facts:
        facts.products.put(upsert(sku="A"))
    with engine.begin() as connection:
        connection.execute(text("DROP TABLE packshot_schema"))
    database.upgrade()
    with database.begin() as facts:
        facts.products.put(upsert(sku="B" * 128))
        facts.refusals.put(Refusal(EventKey("t", "s", "o", "i" * 256), "c", "f", "m", "p"))
    assert database.products() == [("demo", "A"), ("demo", "B" * 128)]
    types = {str(column["type"]) for column in inspect(engine).get_columns("refusals")}
    assert types == {"TEXT", "BIGINT"}
    database.drop_tables()
    database.close()
    engine.dispose()
