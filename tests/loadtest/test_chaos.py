"""What the chaos suite stands on: its events, its verdict, and one short run of all of it."""

import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from loadtest.chaos.verdict import lost
from loadtest.chaos.workload import PICTURES, Expected, Workload, colour_of, picture_of
from schemas import codec, topics
from schemas.records import CampaignCancelled, CampaignRequested, CatalogChanged
from streams.catalogue import Asset
from tests.streams.flow import upsert

ROOT = Path(__file__).parents[2]


def test_the_events_are_a_function_of_the_seed(tmp_path: Path) -> None:
    first, again, other = (Workload(seed, 3000, tmp_path) for seed in (1, 1, 2))
    written = [(record.topic, record.key, record.value) for record in first.records()]
    assert written == [(record.topic, record.key, record.value) for record in again.records()]
    assert written != [(record.topic, record.key, record.value) for record in other.records()]
    assert len(written) >= 3000


def test_there_is_something_of_everything(tmp_path: Path) -> None:
    workload = Workload(3, 3000, tmp_path)
    seen: Counter[str] = Counter()
    newest: dict[tuple[str, str], int] = {}
    for record in workload.records():
        try:
            event = codec.decode(record.value)
        except codec.WireError:
            seen["garbage"] += 1
            continue
        seen[type(event).__name__] += 1
        if isinstance(event, CatalogChanged):
            known = newest.get((event.tenant, event.sku), 0)
            seen[event.change] += 1
            seen[event.priority] += 1
            seen["older or again"] += event.version <= known
            seen["newer"] += 0 < known < event.version
            newest[event.tenant, event.sku] = max(known, event.version)
        else:
            assert isinstance(event, CampaignRequested | CampaignCancelled)
    few = {name: count for name, count in seen.items() if count < 10}
    assert set(few) <= {"garbage"}
    assert len(workload.expected.dead) > 20
    assert len(workload.expected.cancelled) > 5
    assert {event.version for event in workload.expected.newest.values()} > {1, 2, 3}


def test_campaigns_name_only_products_that_stay(tmp_path: Path) -> None:
    workload = Workload(4, 3000, tmp_path)
    named, deleted = set(), set()
    for record in workload.records():
        event = codec.decode(record.value) if record.headers else None
        if isinstance(event, CampaignRequested) and topics.key_of(event) not in {
            key for _, key in workload.expected.dead
        }:
            named |= {(event.tenant, sku) for sku in event.skus}
        if isinstance(event, CatalogChanged) and event.change == "delete":
            deleted.add((event.tenant, event.sku))
    assert named
    assert not named & deleted


def test_every_picture_has_its_own_colour(tmp_path: Path) -> None:
    assert len({colour_of(number) for number in range(PICTURES)}) == PICTURES
    event = upsert(1, photo=f"{tmp_path}/picture-17.png")
    assert picture_of(event) == 17


def test_the_verdict_tells_what_is_missing() -> None:
    expected = Expected()
    for event in (upsert(2), upsert(1), upsert(1, sku="B"), upsert(1, sku="C")):
        expected.saw(event)
    asset = Asset("demo", "A", "web-1", 2, "web", None, "published", "", None, None)
    known = {("demo", "A"): (2, False), ("demo", "B"): (1, False)}
    assert list(lost(known, [asset], expected)) == [
        "demo|B has no asset",
        "demo|C has to be (1, False), and is None",
    ]
    assert next(lost(known | {("demo", "A"): (1, False)}, [asset], expected)).startswith("demo|A has to be (2, False)")


@pytest.mark.long
@pytest.mark.usefixtures("kafka_bootstrap", "postgres_url", "s3_server")
def test_a_short_run_is_clean() -> None:
    command = [sys.executable, "-m", "loadtest.chaos", "--seeds", "7", "--events", "400", "--blows", "6"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=900, check=False)
    assert done.returncode == 0, done.stdout[-5000:] + done.stderr[-2000:]
