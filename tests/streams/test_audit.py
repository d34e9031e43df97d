"""The audit finds each fault that is planted, and nothing where all is well."""

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import Consumer, TopicPartition
from msgspec.structs import replace

from schemas import topics
from schemas.records import (
    AssetPublished,
    AssetRetracted,
    Outcome,
    ProductPublished,
    Rendition,
    Source,
    Step,
    Task,
    TaskCompleted,
    TaskFailed,
    Verdict,
)
from streams.blobs import Blobs, FolderStore, open_store
from streams.consumer import groups
from streams.consumer.clients import AcknowledgedProducer, consumer_config, make_topics
from streams.consumer.isolation import Isolation
from streams.consumer.letters import REPLAYED, Delivery, Outgoing, RetryPolicy, outgoing
from streams.consumer.reading import read
from streams.embedded import choose_broker
from streams.facts import Asset, Database, Trials
from streams.publishing import manifest as manifests
from streams.publishing.manifest import Manifest, ManifestAsset
from streams.runtime.errors import Refused
from streams.runtime.settings import Settings
from streams.services.audit.announcements import Announcements
from streams.services.audit.audit import audit
from streams.services.audit.checks import check_everything
from streams.services.audit.findings import KINDS, Report
from streams.services.audit.products import ProductView, disagreements, stuck
from streams.services.audit.tasks import TaskLedger
from streams.services.recovery import dead
from streams.services.recovery.dead import Wanted
from tests.streams.flow import done, upsert

CACHE = Path(__file__).parents[2] / ".cache"
TASK = Task(
    task_id="a" * 64,
    tenant="demo",
    sku="A",
    version=1,
    lane="urgent",
    step=Step(operation="cutout"),
    source=Source(uri="https://x/a.jpg"),
)
TOPIC = topics.tasks(TASK).name
FAILED = TaskFailed(task=TASK, kind="permanent", code="bad")
VERDICT = Verdict(outcome="pass", checks=[], rules="r")


def record(offset: int, topic: str = TOPIC, value: bytes | None = None, *headers: tuple[str, bytes]) -> Delivery:
    out = outgoing(TASK, "test")
    return Delivery(topic, 0, offset, out.key, out.value if value is None else value, list(headers), 1000)


def retry_of(read: Delivery, offset: int) -> Delivery:
    out = RetryPolicy([5]).letter(read, Refused("away", "no", transient=True), 1)
    return Delivery(out.topic, 0, offset, out.key, out.value, out.headers, 1000)


def ended(outcome: Outcome) -> TaskCompleted:
    return TaskCompleted(task=TASK, outcome=outcome)


def ledger(read_up_to: int, retried_up_to: int = 0) -> TaskLedger:
    return TaskLedger({(TOPIC, 0): read_up_to, (topics.retry(5).name, 0): retried_up_to}, horizon_ms=10)


# tasks


def test_a_task_that_ended_is_completed_and_one_that_was_read_without_an_end_is_lost() -> None:
    tasks = ledger(1)
    tasks.written(record(0))
    assert [finding.kind for finding in tasks.findings()] == ["lost"]
    tasks.note(ended("done"))
    assert tasks.findings() == []
    assert tasks.counts()["completed"] == 1


def test_a_second_task_of_the_same_id_must_end_as_well() -> None:
    tasks = ledger(2)
    tasks.written(record(0))
    tasks.written(record(1))
    tasks.note(ended("done"))
    assert [finding.text for finding in tasks.findings()] == ["demo|A: read 2 times, ended 1 times"]


def test_what_is_not_committed_yet_is_in_flight() -> None:
    tasks = ledger(1)
    tasks.written(record(1))
    assert (tasks.counts()["in_flight"], tasks.findings(), tasks.busy()) == (1, [], {("demo", "A")})


@pytest.mark.parametrize(("retried_up_to", "in_flight", "lost"), [(0, 1, 0), (1, 0, 1)])
def test_a_retry_waits_until_the_retrier_has_given_it_back(retried_up_to: int, in_flight: int, lost: int) -> None:
    tasks = ledger(1 if in_flight else 2, retried_up_to)
    tasks.written(record(0))
    tasks.retried(retry_of(record(0), 0))
    if not in_flight:
        tasks.written(record(1, TOPIC, None, ("packshot-attempt", b"1")))
    assert (tasks.counts()["in_flight"], len(tasks.findings())) == (in_flight, lost)


def test_a_dead_task_failed_and_its_replay_ends_anew() -> None:
    tasks = ledger(2)
    tasks.written(record(0))
    tasks.died(record(0), is_open=False)
    tasks.note(FAILED)
    assert (tasks.counts()["failed"], tasks.findings()) == (1, [])
    tasks.written(record(1, TOPIC, None, (REPLAYED, b"imagery.dead/0/0")))
    tasks.note(ended("done"))
    assert (tasks.counts()["failed"], tasks.counts()["completed"], tasks.findings()) == (0, 1, [])


def test_bytes_that_are_no_task_end_in_a_dead_letter() -> None:
    tasks = ledger(1)
    tasks.written(record(0, value=b"garbage"))
    assert len(tasks.findings()) == 1
    tasks.died(record(3, value=b"garbage"), is_open=True)
    assert (tasks.counts()["dead"], tasks.findings()) == (1, [])


def test_bytes_that_are_too_many_for_their_letter_end_all_the_same(tmp_path: Path) -> None:
    tasks = ledger(2)
    policy = RetryPolicy([], originals=Blobs(open_store(tmp_path.as_uri())))
    for offset in (0, 1):
        read = record(offset, value=bytes(topics.DEAD_BYTES + offset))
        tasks.written(read)
        out = policy.letter(read, Refused("too_large", "too large"), 1)
        assert out.value == b""
        tasks.died(Delivery(out.topic, 0, offset, out.key, out.value, out.headers, 1000), is_open=True)
    assert (tasks.counts()["dead"], tasks.findings()) == (2, [])


def test_repeats_are_counted_and_are_no_fault_while_they_agree() -> None:
    tasks = ledger(1)
    tasks.written(record(0))
    for outcome in ("done", "done", "superseded"):
        tasks.note(ended(outcome))
    assert (tasks.counts()["duplicates"], tasks.findings()) == (2, [])


def test_one_task_both_done_and_failed_conflicts() -> None:
    tasks = ledger(1)
    tasks.written(record(0))
    tasks.note(ended("done"))
    tasks.died(record(0), is_open=True)
    tasks.note(FAILED)
    assert [finding.kind for finding in tasks.findings()] == ["conflicting"]


def test_what_is_past_its_retention_is_left_out() -> None:
    tasks = TaskLedger({(TOPIC, 0): 1}, horizon_ms=1001)
    tasks.written(record(0))
    assert tasks.counts()["tasks"] == 0


# announcements


def file(digest: str = "a", size_bytes: int = 9) -> Rendition:
    key = f"demo/a-1/amazon-1/{digest}.jpg"
    return Rendition(
        key=key, url=f"http://cdn/{key}", media_type="image/jpeg", width_px=9, height_px=9, size_bytes=size_bytes,
        sha256=digest * 64,
    )  # fmt: skip


def published(version: int = 1, digest: str = "a", at_ms: int = 1) -> AssetPublished:
    return AssetPublished(
        tenant="demo", sku="A", version=version, asset="amazon-1", channel="amazon", file=file(digest), renditions=[],
        srcset={}, verdict=VERDICT, engine="e", manifest_url="m", published_at_ms=at_ms,
    )  # fmt: skip


RETRACTED = AssetRetracted(tenant="demo", sku="A", version=1, asset="amazon-1", reason="", urls=[], retracted_at_ms=5)


@pytest.mark.parametrize(
    ("events", "kinds"),
    [
        ([published(), published(2, "b"), published(3, "a", 9)], []),
        ([published(), RETRACTED, published(at_ms=9)], []),
        ([published(), replace(published(at_ms=5), models=["net@2"]), published(at_ms=9)], []),
        ([published(), published()], ["double_published"]),
        ([published(), published(at_ms=9)], ["double_published"]),
        ([published(), published(2), published()], ["double_published", "stale_published"]),
        ([published(2), published(1, at_ms=9)], ["stale_published"]),
    ],
)
def test_what_was_announced_twice_or_too_late_is_found(events: list[Any], kinds: list[str]) -> None:
    announcements = Announcements()
    for event in events:
        announcements.note(event)
    assert [finding.kind for finding in announcements.findings] == kinds


def test_a_product_that_is_announced_twice_is_found() -> None:
    event = ProductPublished(
        tenant="demo", sku="A", version=1, assets=[], withheld={}, manifest_url="m", published_at_ms=1
    )
    announcements = Announcements()
    announcements.note(event)
    announcements.note(replace(event, published_at_ms=2))
    assert announcements.findings == []
    announcements.note(event)
    assert [finding.name for finding in announcements.findings] == ["demo|A v1"]


# products


def live(version: int = 1, digest: str = "a") -> ManifestAsset:
    return ManifestAsset(
        version=version, channel="amazon", file=file(digest), renditions=[], srcset={}, verdict=VERDICT, engine="e",
        result_id="r", published_at_ms=1, position="p/0/1",
    )  # fmt: skip


def asset(state: str = "published", version: int = 1, noted: AssetPublished | None = None) -> Asset:
    where = ("demo", "A", "amazon-1", version, "amazon", None)
    return Asset(*where, state, "", VERDICT, noted)  # type: ignore[arg-type]


def view(**changed: Any) -> ProductView:
    """A product whose one asset is live, with some of it changed."""
    sound: dict[str, Any] = {
        "tenant": "demo",
        "sku": "A",
        "version": 1,
        "assets": {"amazon-1": asset(noted=published())},
        "manifest": Manifest(tenant="demo", sku="A", version=1, assets={"amazon-1": live()}),
        "announced": {"amazon-1": published()},
    }
    return ProductView(**sound | changed)


def kinds(seen: ProductView) -> list[str]:
    return [finding.kind for finding in disagreements(seen)]


def test_a_sound_product_has_no_findings() -> None:
    assert kinds(view()) == []
    assert list(stuck(view())) == []


def test_an_old_version_stays_live_until_the_new_one_is_complete() -> None:
    assert kinds(view(version=2, assets={"amazon-1": asset("planned", 2, published())})) == []
    assert kinds(view(version=2, assets={"amazon-1": asset("failed", 2, published())})) == []
    complete = {"amazon-1": asset("failed", 2, published()), "web-1": replace_asset("web-1")}
    assert "stale_published" in kinds(view(version=2, assets=complete))


def replace_asset(name: str) -> Asset:
    return Asset("demo", "A", name, 2, "web", None, "published", "", VERDICT, None)


def test_what_is_live_of_a_deleted_or_unknown_product_is_found() -> None:
    assert kinds(view(version=2, deleted=True)) == ["stale_published"]
    assert "facts_differ" in kinds(view(version=None, assets={}))


def test_manifest_announcements_and_facts_must_say_the_same() -> None:
    assert kinds(view(announced={})) == ["manifests_differ"]
    assert kinds(view(announced={"amazon-1": published(digest="b")})) == ["manifests_differ"]
    assert kinds(view(assets={"amazon-1": asset()})) == ["facts_differ"]
    assert sorted(kinds(view(manifest=None))) == ["facts_differ", "manifests_differ"]


@pytest.mark.parametrize("state", ["planned", "publishing"])
def test_an_asset_that_waits_for_nothing_is_stuck(state: str) -> None:
    (finding,) = stuck(view(assets={"amazon-1": asset(state)}))
    assert finding.kind == "stuck"


def test_an_asset_outside_the_plan_may_stay_until_the_plan_is_complete() -> None:
    leaving = {"amazon-1": asset("leaving", noted=published()), "web-1": Asset(
        "demo", "A", "web-1", 2, "web", None, "review", "", VERDICT, None)}  # fmt: skip
    assert list(stuck(view(version=2, assets=leaving, reviewed={"web-1"}))) == []
    assert len(list(stuck(view(version=2, deleted=True, assets={"amazon-1": leaving["amazon-1"]})))) == 1


# everything together, on a broker


@pytest.fixture
def settings(tmp_path: Path) -> Iterator[Settings]:
    broker = choose_broker(tmp_path / "broker", CACHE, "memory")
    broker.start()
    made = Settings(kafka_bootstrap_servers=broker.bootstrap_servers, data_folder=tmp_path, retry_delays_ms=["5"])
    make_topics(made)
    yield made
    broker.stop()


def write(settings: Settings, *records: Outgoing) -> None:
    producer = AcknowledgedProducer(settings)
    producer.send(records)
    producer.close()


def commit(settings: Settings, group: str, topic: str, offset: int) -> None:
    consumer = Consumer(consumer_config(settings, group))
    number = len(consumer.list_topics(topic, timeout=10).topics[topic].partitions)
    offsets = [TopicPartition(topic, partition, offset) for partition in range(number)]
    consumer.commit(offsets=offsets, asynchronous=False)
    consumer.close()


def found(report: Report) -> dict[str, int]:
    return {kind: report.figures[kind] for kind in KINDS if report.figures[kind]}


def test_a_task_on_a_broker_is_in_flight_then_lost_then_completed(settings: Settings) -> None:
    write(settings, outgoing(TASK, "test"))
    assert audit(settings).figures["in_flight"] == 1
    commit(settings, groups.worker("cutout", "urgent"), TOPIC, 1)
    assert found(audit(settings)) == {"lost": 1}
    write(settings, outgoing(done(TASK), "test"))
    assert (audit(settings).figures["completed"], audit(settings).clean) == (1, True)


def test_the_origin_is_compared_with_what_the_manifest_says(settings: Settings) -> None:
    origin = FolderStore(Path(settings.origin.removeprefix("file://")))
    data = b"nine byte"
    sound = replace(file(), sha256=hashlib.sha256(data).hexdigest())
    origin.put(sound.key, data)
    manifests.save(origin, Manifest(tenant="demo", sku="A", assets={"amazon-1": replace(live(), file=sound)}), None)
    announced = replace(published(), file=sound)
    write(settings, outgoing(announced, "test"))
    commit(settings, groups.STREAMS, topics.PUBLISHED.name, 1)
    database = Database(settings.database)
    database.create_tables()
    with database.begin() as facts:
        facts.products.put(upsert())
        facts.assets.put_plan("demo", "A", 1, {"amazon-1": ("amazon", None)})
        facts.assets.put_live(announced)
        facts.assets.move("demo", "A", "amazon-1", 1, "published")
    database.close()
    assert audit(settings, deep=True).findings == []
    origin.put(sound.key, b"nine bytE")
    assert audit(settings).clean
    assert found(audit(settings, deep=True)) == {"missing_objects": 1}
    origin.put(sound.key, b"cut")
    assert found(audit(settings)) == {"missing_objects": 1}
    origin.delete(sound.key)
    assert found(audit(settings)) == {"missing_objects": 1}


def test_a_partition_that_stands_is_reported_with_role_time_and_reason(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    database = Database(settings.database)
    database.create_tables()
    isolation = Isolation("worker-cutout", Trials(database))
    isolation.is_careful(Delivery(TOPIC, 7, 0, None, b""))  # of a partition without a record
    write(settings, outgoing(TASK, "test"))
    [record] = list(read(settings, [TOPIC]))
    isolation.is_careful(record)
    assert audit(settings).clean  # it has only just begun
    monkeypatch.setattr("streams.services.audit.standing.STANDS_AFTER_MS", 0)
    isolation.tell(record, "waits: the store does not answer")
    [finding] = audit(settings).findings
    assert (finding.kind, finding.name) == ("standing", f"{TOPIC}/{record.partition}/0")
    assert "worker-cutout stands there since 20" in finding.text
    assert finding.text.endswith("started 1 times: waits: the store does not answer")
    [checked] = [each for each in check_everything(settings) if each.name == "partitions"]
    assert not checked.ok
    assert "worker-cutout" in checked.text
    commit(settings, groups.worker("cutout", "urgent"), TOPIC, 1)
    assert found(audit(settings)) == {"lost": 1}
    database.close()


def test_records_that_are_none_of_ours_are_reported_until_somebody_has_dealt_with_them(settings: Settings) -> None:
    foreign = [(topics.PUBLISHED.name, b"{}"), (topics.retry(5).name, b"{}"), (topics.LETTERS.name, b"{}")]
    write(settings, *(Outgoing(topic, b"k", value, []) for topic, value in foreign))
    write(settings, Outgoing(topics.DEAD.name, b"k", b"{}", []))
    assert found(audit(settings)) == {"foreign": 2}
    [published] = list(read(settings, [topics.PUBLISHED.name]))
    letter = RetryPolicy(()).letter(published, Refused("not_framed", "no record"), 1)
    write(settings, letter)
    assert found(audit(settings)) == {"foreign": 2}
    dead.discard(settings, Wanted(code="not_framed"), "me", "not ours")
    assert found(audit(settings)) == {"foreign": 1}
