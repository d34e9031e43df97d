"""What the facts promise, on SQLite and on PostgreSQL."""

import dataclasses
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from msgspec.structs import replace
from sqlalchemy import QueuePool, create_engine

from schemas.records import CampaignCancelled, CampaignRequested, CatalogChanged, DefaultsReleased, RecipeReleased
from streams.facts import Database, DatabaseUnavailable, EventKey, ProductStates, Refusal
from streams.runtime.settings import SettingsError
from tests.streams.flow import upsert

PLAN: dict[str, tuple[str, str | None]] = {"amazon-1": ("amazon", None), "bf.instagram-1": ("instagram", "bf")}


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    sqlite = request.param == "sqlite"
    url = f"sqlite:///{tmp_path}/facts.db" if sqlite else request.getfixturevalue("postgres_url")
    opened = Database(url)
    opened.create_tables()
    opened.create_tables()
    yield opened
    opened.drop_tables()
    opened.close()


def test_a_product_is_its_last_event(database: Database) -> None:
    with database.begin() as facts:
        facts.products.put(upsert(1))
        facts.products.put(upsert(2, photo="new.jpg"))
    with database.read() as facts:
        product = facts.products.get("demo", "A")
        assert facts.products.get("demo", "B") is None
        assert facts.products.get("other", "A") is None
    assert product is not None
    assert (product.version, product.deleted, product.event) == (2, False, upsert(2, photo="new.jpg"))
    assert database.products() == [("demo", "A")]


def test_what_raises_is_not_kept(database: Database) -> None:
    def crash() -> None:
        with database.begin() as facts:
            facts.products.put(upsert(1))
            raise RuntimeError("crash")

    with pytest.raises(RuntimeError):
        crash()
    assert database.products() == []


def test_a_savepoint_undoes_only_its_own(database: Database) -> None:
    with database.begin() as facts:
        facts.products.put(upsert(1))

        def refuse() -> None:
            with facts.savepoint():
                facts.products.put(upsert(1, sku="B"))
                raise RuntimeError("refused")

        with pytest.raises(RuntimeError):
            refuse()
    assert database.products() == [("demo", "A")]


def test_a_plan_keeps_the_state_of_what_is_in_it_already(database: Database) -> None:
    with database.begin() as facts:
        facts.assets.put_plan("demo", "A", 1, PLAN)
        assert facts.assets.move("demo", "A", "amazon-1", 1, "judged doubtful", reason="fill")
        assert facts.assets.move("demo", "A", "bf.instagram-1", 1, "not made", reason="404")
        facts.assets.put_plan("demo", "A", 1, PLAN)
        assert {a.asset: (a.state, a.reason) for a in facts.assets.of("demo", "A")} == {
            "amazon-1": ("review", "fill"),
            "bf.instagram-1": ("failed", "404"),
        }


def test_an_asset_of_another_version_is_not_moved(database: Database) -> None:
    with database.begin() as facts:
        facts.assets.put_plan("demo", "A", 2, PLAN)
        assert not facts.assets.move("demo", "A", "amazon-1", 1, "published")
        assert not facts.assets.move("demo", "A", "nothing-1", 2, "published")


def test_the_standing_is_the_newest_plan_with_its_reasons(database: Database) -> None:
    assert ProductStates(database).state_of("demo", "A") is None
    with database.begin() as facts:
        facts.products.put(upsert(3))
        facts.assets.put_plan("demo", "A", 3, PLAN)
        facts.assets.move("demo", "A", "amazon-1", 3, "rejected", reason="logo cut off")
    state = ProductStates(database).state_of("demo", "A")
    assert state is not None
    assert (state.version, state.deleted) == (3, False)
    assert state.plan == {"amazon-1": "rejected", "bf.instagram-1": "planned"}
    assert state.reasons == {"amazon-1": "logo cut off"}


def test_a_deleted_product_stands_as_deleted(database: Database) -> None:
    with database.begin() as facts:
        facts.products.put(CatalogChanged(change="delete", tenant="demo", sku="A", version=4))
    state = ProductStates(database).state_of("demo", "A")
    assert state is not None
    assert (state.version, state.deleted, state.plan) == (4, True, {})


def test_a_campaign_is_found_by_its_products_until_it_is_cancelled(database: Database) -> None:
    campaign = CampaignRequested(tenant="demo", campaign="bf", skus=["A", "B", "A"], channels=["instagram"])
    with database.begin() as facts:
        facts.campaigns.put(campaign)
        assert facts.campaigns.naming("demo", "B") == [campaign]
        assert facts.campaigns.naming("other", "B") == []
        facts.campaigns.cancel(CampaignCancelled(tenant="demo", campaign="bf", place=1))
        assert facts.campaigns.naming("demo", "B") == []
        assert facts.campaigns.get("demo", "bf") == (campaign, True)


def test_a_refusal_is_found_by_its_event(database: Database) -> None:
    event = EventKey("imagery.catalog", "demo|A", "pim", "id-1")
    refusal = Refusal(event, "unknown_channel", "channels", "no such channel")
    with database.begin() as facts:
        facts.refusals.put(refusal)
        facts.refusals.put(refusal)
        assert facts.refusals.get(event) == refusal
        assert facts.refusals.get(dataclasses.replace(event, event_id="id-2")) is None


@pytest.mark.parametrize("other", [{"subject": "acme|A"}, {"source": "erp"}, {"topic": "imagery.campaigns"}], ids=str)
def test_nobody_who_takes_an_id_that_another_has_hides_the_others_refusal(
    database: Database, other: dict[str, str]
) -> None:
    mine = EventKey("imagery.catalog", "demo|A", "pim", "1")
    theirs = dataclasses.replace(mine, **other)
    with database.begin() as facts:
        facts.refusals.put(Refusal(mine, "unknown_channel", "channels", "no such channel", "imagery.catalog/0/1"))
        facts.refusals.put(Refusal(theirs, "bad", "", "no", "imagery.catalog/0/2"))
        facts.refusals.drop(theirs, "imagery.catalog/0/3")
        assert facts.refusals.get(theirs) is None
        noted = facts.refusals.get(mine)
    assert noted is not None
    assert noted.code == "unknown_channel"


def test_locked_products_are_changed_one_after_the_other(database: Database) -> None:
    with database.begin() as facts:
        facts.products.put(upsert(1))

    def grow() -> None:
        for _ in range(5):
            with database.begin() as facts:
                product = facts.products.get("demo", "A", lock=True)
                assert product is not None
                facts.products.put(upsert(product.version + 1))

    threads = [threading.Thread(target=grow) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with database.read() as facts:
        product = facts.products.get("demo", "A")
    assert product is not None
    assert product.version == 21


RELEASES = [
    RecipeReleased(recipe="spring", version=version, text="name: spring", released_at_ms=version) for version in (1, 2)
]
DEFAULTS = DefaultsReleased(tenant="demo", version=1, text="tenant: demo", released_at_ms=1)


def test_recipes_are_kept_in_all_versions_and_a_version_stays_as_it_is(database: Database) -> None:
    with database.begin() as facts:
        for event in (RELEASES[1], RELEASES[0], DEFAULTS, replace(RELEASES[0], text="other")):
            facts.recipes.put(event)
    with database.read() as facts:
        assert facts.recipes.releases() == [DEFAULTS, *RELEASES]


def test_a_cookbook_holds_until_a_release_and_forgets_one_that_is_undone(database: Database) -> None:
    def refuse() -> None:
        with facts.savepoint():
            facts.recipes.put(RELEASES[0])
            assert "spring" in facts.recipes.cookbook().recipes
            raise RuntimeError("refused")

    with database.begin() as facts:
        assert facts.recipes.cookbook() is facts.recipes.cookbook()
        with pytest.raises(RuntimeError):
            refuse()
        assert "spring" not in facts.recipes.cookbook().recipes
        facts.recipes.put(RELEASES[1])
        assert "spring" in facts.recipes.cookbook().recipes


def test_products_are_reported_with_the_campaigns_that_want_them(database: Database) -> None:
    campaigns = [
        CampaignRequested(tenant="demo", campaign=name, skus=skus, channels=["amazon"])
        for name, skus in (("a", ["B", "A", "A"]), ("b", ["A", "nobody"]), ("off", ["A"]))
    ]
    with database.begin() as facts:
        for event in (upsert(sku="B"), upsert(sku="A"), replace(upsert(sku="A"), tenant="other")):
            facts.products.put(event)
        facts.products.put(CatalogChanged(change="delete", tenant="demo", sku="C", version=2))
        for campaign in campaigns:
            facts.campaigns.put(campaign)
        facts.campaigns.cancel(CampaignCancelled(tenant="demo", campaign="off", version=1))
    with database.read() as facts:
        found = [
            (product.tenant, product.sku, [each.campaign for each in mine]) for product, mine in facts.recipes.wanting()
        ]
        assert found == [("demo", "A", ["a", "b"]), ("demo", "B", ["a"]), ("other", "A", [])]
        assert [product.tenant for product, _ in facts.recipes.wanting("other")] == ["other"]


def test_a_release_waits_for_those_who_plan_and_sees_what_they_planned(database: Database) -> None:
    planning, planned = threading.Event(), threading.Event()

    def plan() -> None:
        with database.begin() as facts:
            facts.recipes.cookbook()
            planning.set()
            planned.wait(0.5)  # longer than a release that does not wait
            facts.products.put(upsert())

    thread = threading.Thread(target=plan)
    thread.start()
    planning.wait()
    with database.begin() as facts:
        facts.recipes.put(RELEASES[0])
        assert [product.sku for product, _ in facts.recipes.wanting()] == ["A"]
    thread.join()


def test_many_may_make_the_tables_at_once(database: Database) -> None:
    database.drop_tables()
    openers = [Database(database.url) for _ in range(8)]
    with ThreadPoolExecutor(len(openers)) as threads:
        list(threads.map(lambda opener: opener.create_tables(), openers))
    assert database.products() == []
    for opener in openers:
        opener.close()


def test_a_database_that_is_away_is_unavailable() -> None:
    with pytest.raises(DatabaseUnavailable):
        Database("postgresql://nobody:x@127.0.0.1:9/none").create_tables()


def test_who_gets_no_connection_in_time_waits_for_the_database(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Others of the process have them all, while it is slow: no record is at fault."""
    database = Database(f"sqlite:///{tmp_path}/facts.db")
    one = create_engine(database.url, poolclass=QueuePool, pool_size=1, max_overflow=0, pool_timeout=0.01)
    monkeypatch.setattr(database, "_engine", one)
    with database.look(), pytest.raises(DatabaseUnavailable), database.look():
        pass
    database.close()


def test_a_url_of_another_kind_names_its_setting() -> None:
    with pytest.raises(SettingsError, match="PACKSHOT_DATABASE_URL"):
        Database("mysql://host/name")
