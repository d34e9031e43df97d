"""The facts' tables from one version to the next, on SQLite and on PostgreSQL."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import msgspec
import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from msgspec.structs import replace
from sqlalchemy import Engine, create_engine, inspect, text

from streams.facts import Database, EventKey, Fitting, Refusal, schema, tables
from streams.facts.schema import HEAD, VERSION_TABLE, SchemaMismatch
from tests.streams.case_flow import requested_reviews
from tests.streams.flow import Flow, upsert

OLDEST = Path(__file__).parent / "schemas"  # the tables as roles made them before there were revisions


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    found = f"sqlite:///{tmp_path}/facts.db" if request.param == "sqlite" else request.getfixturevalue("postgres_url")
    yield found
    database = Database(found)
    database.drop_tables()
    database.close()


@pytest.fixture
def engine(url: str) -> Iterator[Engine]:
    opened = create_engine(url.replace("postgresql://", "postgresql+psycopg://"))
    yield opened
    opened.dispose()


@pytest.fixture
def database(url: str) -> Iterator[Database]:
    opened = Database(url)
    yield opened
    opened.close()


def make_oldest(engine: Engine) -> None:
    """The oldest tables that are kept, with a product of which `sku` is as long as it might be."""
    ddl = (OLDEST / f"before_revisions.{engine.dialect.name}.sql").read_text()
    with engine.begin() as connection:
        for statement in ddl.split(";\n"):
            if statement.strip():
                connection.execute(text(statement))
        row = "INSERT INTO products VALUES ('demo', 'OLD', 1, false, '{\"type\":\"CatalogChanged\"}', 1)"
        connection.execute(text(row))


def differences(engine: Engine) -> list[object]:
    with engine.connect() as connection:
        opts = {"version_table": VERSION_TABLE, "compare_type": engine.dialect.name != "sqlite"}  # which keeps to none
        context = MigrationContext.configure(connection, opts=opts)
        found: list[object] = compare_metadata(context, [tables.metadata, tables.apart])  # type: ignore[arg-type]
        return found


def test_new_tables_are_those_of_all_revisions(database: Database, engine: Engine) -> None:
    database.create_tables()
    assert differences(engine) == []
    database.drop_tables()
    assert inspect(engine).get_table_names() == []
    assert database.upgrade() is None
    assert differences(engine) == []
    assert database.upgrade() == HEAD
    database.create_tables()


def test_the_oldest_tables_go_forward_and_keep_what_is_in_them(database: Database, engine: Engine) -> None:
    make_oldest(engine)
    with pytest.raises(SchemaMismatch, match="packshot database upgrade"):
        database.create_tables()
    assert database.upgrade() is None
    assert differences(engine) == []
    assert database.products() == [("demo", "OLD")]
    database.create_tables()
    with database.begin() as facts:
        facts.products.put(upsert(sku="B" * 128))
    assert database.products() == [("demo", "B" * 128), ("demo", "OLD")]


def test_tables_of_a_later_version_are_left_alone(database: Database, engine: Engine) -> None:
    database.create_tables()
    with engine.begin() as connection:
        connection.execute(text(f"UPDATE {VERSION_TABLE} SET version_num = '9999'"))
    for attempt in (database.create_tables, database.upgrade):
        with pytest.raises(SchemaMismatch, match="9999"):
            attempt()


def test_what_fails_on_the_way_leaves_the_tables_as_they_were(
    database: Database, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_oldest(engine)
    before = sorted(inspect(engine).get_table_names())

    def broken(_connection: object) -> None:
        raise RuntimeError("on the way")

    monkeypatch.setattr(schema, "_check_is_head", broken)
    with pytest.raises(RuntimeError):
        database.upgrade()
    assert sorted(inspect(engine).get_table_names()) == before
    monkeypatch.undo()
    assert database.upgrade() is None


def test_many_may_upgrade_at_once(url: str, engine: Engine) -> None:
    make_oldest(engine)
    openers = [Database(url) for _ in range(4)]
    with ThreadPoolExecutor(len(openers)) as threads:
        found = list(threads.map(lambda opener: opener.upgrade(), openers))
    assert sorted(found, key=str) == [HEAD, HEAD, HEAD, None]
    for opener in openers:
        opener.close()


def test_what_waited_before_there_were_cases_waits_for_its_cases(
    database: Database, engine: Engine, tmp_path: Path
) -> None:
    elsewhere = Database(f"sqlite:///{tmp_path}/elsewhere.db")
    elsewhere.create_tables()
    requests = [replace(each, doubts=[]) for each in requested_reviews(Flow(elsewhere))]
    elsewhere.close()
    config = Config()
    config.set_main_option("script_location", "streams.facts:migrations")
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "0003")
        for each in requests:
            about = {"review_id": each.review_id, "record": msgspec.json.encode(each).decode()}
            columns = "review_id, tenant, sku, asset, version, state, record, updated_at_ms"
            values = f":review_id, 'demo', 'A', '{each.completed.task.step.asset}', 1, 'pending', :record, 7"
            connection.execute(text(f"INSERT INTO reviews ({columns}) VALUES ({values})"), about)
    assert database.upgrade() == "0003"
    with database.read() as facts:
        (found,) = facts.cases.page(Fitting(tenant="demo", about="cutout"), None, 9)
        waiting = facts.cases.waiting([found.case_id])[found.case_id]
    assert found.since_ms == 7
    assert {each.review_id for each in waiting} == {each.review_id for each in requests}


def test_refusals_of_before_are_kept(database: Database, engine: Engine) -> None:
    config = Config()
    config.set_main_option("script_location", "streams.facts:migrations")
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "0010")
        for number in range(2500):  # more than are copied at once
            row = f"INSERT INTO refusals VALUES ('id-{number}', 'imagery.catalog', 'demo|A', 'bad', 'f', 'no', 'p', 7)"
            connection.execute(text(row))
    assert database.upgrade() == "0010"
    event = EventKey("imagery.catalog", "demo|A", "", "id-2499")
    with database.read() as facts:
        assert facts.refusals.get(event) == Refusal(event, "bad", "f", "no", "p")
    assert len(database.dump()["refusals"]) == 2500


def test_the_head_is_the_newest_revision() -> None:
    folder = Path(schema.__file__).parent / "migrations"
    assert ScriptDirectory(str(folder)).get_current_head() == HEAD
