"""What `packshot demo` makes of what an earlier one left."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from msgspec.structs import replace

from schemas.records import CampaignRequested, CatalogChanged, Source
from streams.commands import demo
from streams.commands.demo import as_news
from streams.facts import Database
from streams.flow.processors import intake
from streams.runtime.errors import Refused
from streams.runtime.settings import Settings
from tests.streams.case_flow import CHANNELS as CASE_CHANNELS
from tests.streams.case_flow import requested_reviews
from tests.streams.flow import Flow, upsert

CHANNELS = ["amazon"]
MUG = CatalogChanged(
    tenant="demo", sku="MUG", version=1, sources=[Source(uri="file:///older/tree/mug.jpg")], channels=CHANNELS
)
MOVED = replace(MUG, sources=[Source(uri="file:///samples/mug.jpg")])


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    opened = Database(f"sqlite:///{tmp_path}/facts.db")
    opened.upgrade()
    yield opened
    opened.close()


def test_a_sample_that_moved_is_the_next_version(database: Database) -> None:
    with database.begin() as facts:
        intake.catalog_changed(MUG, facts)
        with pytest.raises(Refused, match="version 1 is known with other content"):
            intake.catalog_changed(MOVED, facts)
        news = as_news(MOVED, facts)
        assert news == replace(MOVED, version=2)
        assert intake.catalog_changed(news, facts)


def test_what_is_known_as_it_is_stays_as_it_is(database: Database) -> None:
    with database.begin() as facts:
        intake.catalog_changed(replace(MOVED, version=4), facts)
        assert as_news(MOVED, facts) == replace(MOVED, version=4)
        assert intake.catalog_changed(replace(MOVED, version=4), facts) is not None


def test_what_is_deleted_comes_back(database: Database) -> None:
    with database.begin() as facts:
        intake.catalog_changed(MUG, facts)
        intake.catalog_changed(CatalogChanged(tenant="demo", sku="MUG", version=2, change="delete"), facts)
        assert as_news(MUG, facts) == replace(MUG, version=3)


def test_what_is_new_and_campaigns_are_left_alone(database: Database) -> None:
    campaign = CampaignRequested(tenant="demo", campaign="c", skus=["MUG"], channels=CHANNELS)
    with database.read() as facts:
        assert as_news(MUG, facts) is MUG
        assert as_news(campaign, facts) is campaign


def test_what_waits_is_told_in_decisions(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    settings = Settings(data_folder=tmp_path)
    opened = Database(settings.database)
    opened.create_tables()
    for sku in ("A", "B"):
        requested_reviews(Flow(opened), upsert(sku=sku, photo=f"{sku}.jpg", channels=CASE_CHANNELS))
    opened.close()
    counted = demo._decisions(settings)
    assert counted == (8, 2)
    demo._sum_up([], 1.0, counted)
    assert "8 assets wait for 2 decisions, one a cause: 4.0 each" in capsys.readouterr().out
