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
from streams.facts import Database, Facts, Refusal, Share, tables
from streams.runtime.errors import Refused
from tests.streams.flow import blob, done, published, upsert

NASTY = {
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
    "put_product": lambda facts, nasty: facts.products.put(upsert(sku=nasty)),
    "put_product, its title": lambda facts, nasty: facts.products.put(replace(upsert(), title=nasty)),
    "put_plan, sku": lambda facts, nasty: facts.assets.put_plan("demo", nasty, 1, {"a": ("amazon", None)}),
    "put_plan, asset": lambda facts, nasty: facts.assets.put_plan("demo", "A", 1, {nasty: ("amazon", None)}),
    "put_plan, campaign": lambda facts, nasty: facts.assets.put_plan("demo", "A", 1, {"a": ("amazon", nasty)}),
    "move_asset, name": lambda facts, nasty: facts.assets.move("demo", "A", nasty, 1, "not made"),
    "move_asset, reason": _moved,
    "put_live": lambda facts, nasty: facts.assets.put_live(_request(nasty)),
    "put_live, its verdict": lambda facts, nasty: facts.assets.put_live(_published(nasty)),
    "retracted": lambda facts, nasty: facts.assets.put_gone("demo", "A", nasty),
    "put_task": lambda facts, nasty: facts.tasks.put(_task(nasty)),
    "put_task, failed": lambda facts, nasty: facts.tasks.put(
        TaskFailed(task=_task("A"), kind="permanent", code="c", message=nasty)
    ),
    "put_review": lambda facts, nasty: facts.reviews.put(_completed(nasty)),
    "decide_review": _decide,
    "supersede_reviews": lambda facts, nasty: facts.reviews.supersede_older("demo", nasty, 1),
    "supersede_other_reviews": lambda facts, nasty: facts.reviews.supersede_others("demo", "A", nasty, nasty),
    "put_campaign": _campaign,
    "put_costs": lambda facts, nasty: facts.costs.put([_share(nasty)]),
    "put_accepted": lambda facts, nasty: facts.costs.accept(_request(nasty)),
    "put_model": lambda facts, nasty: facts.models.put(
        ModelAdded(operation="cutout", model=nasty, manifest=nasty, added_at_ms=1)
    ),
    "put_release": lambda facts, nasty: facts.models.put_release(
        ModelReleased(operation=nasty, model="m@1", stage="stable", released_at_ms=1)
    ),
    "put_shadow": lambda facts, nasty: facts.models.put_shadow(replace(done(_task("A")), shadow=_shadow(nasty))),
    "put_recipe": lambda facts, nasty: facts.recipes.put(
        RecipeReleased(recipe=nasty, version=1, text=nasty, released_at_ms=1)
    ),
    "put_refusal": lambda facts, nasty: facts.refusals.put(Refusal(nasty, nasty, nasty, nasty, nasty, nasty, nasty)),
    "drop_refusal": lambda facts, nasty: facts.refusals.drop(nasty, nasty),
    "product": lambda facts, nasty: facts.products.get("demo", nasty),
    "refusal": lambda facts, nasty: facts.refusals.get(nasty),
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


def ending(database: Database, write: Callable[[Facts, str], object], nasty: str) -> object:
    """What the tables hold afterwards, or the code of what was refused; the tables are left empty."""

    class Undone(Exception):
        """Ends the transaction."""

    found: list[object] = []
    try:
        with database.begin() as facts:
            facts.at(1)
            try:
                with facts.savepoint():
                    write(facts, nasty)
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


@pytest.mark.parametrize("nasty", NASTY)
@pytest.mark.parametrize("write", WRITES)
def test_every_write_ends_the_same_on_both(write: str, nasty: str, catalogues: tuple[Database, Database]) -> None:
    sqlite, postgresql = (ending(each, WRITES[write], NASTY[nasty]) for each in catalogues)
    assert sqlite == postgresql


@pytest.mark.parametrize("nasty", NASTY)
def test_a_refusal_is_noted_whatever_a_stranger_wrote(nasty: str, catalogues: tuple[Database, Database]) -> None:
    found = NASTY[nasty]
    for database in catalogues:
        with database.begin() as facts:
            facts.refusals.put(Refusal(found, found, found, found, found, found, found))
            noted = facts.refusals.get(found)
            assert noted is not None
            facts.refusals.drop(found, "elsewhere")
            assert facts.refusals.get(found) is None


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
        facts.refusals.put(Refusal("i" * 256, "t", "s", "c", "f", "m", "p"))
    assert database.products() == [("demo", "A"), ("demo", "B" * 128)]
    types = {str(column["type"]) for column in inspect(engine).get_columns("refusals")}
    assert types == {"TEXT", "BIGINT"}
    database.drop_tables()
    database.close()
    engine.dispose()
