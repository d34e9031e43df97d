"""What images cost: shared out among assets, told once, and by what became of them."""

import dataclasses
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner
from msgspec.structs import replace

from schemas.costs import WHOLE_MAX
from schemas.records import (
    Cost,
    Event,
    PublishRequested,
    ReviewDecided,
    ReviewRequested,
    Task,
    TaskCompleted,
    TaskFailed,
)
from streams.commands.cli import packshot
from streams.facts import Database, Grouping, Share, Spending
from streams.flow.processors.costing import shares
from tests.streams.flow import Flow, blob, done, published, tasks, upsert

CUT = Cost(engine_ms=90.0, cpu_ms=30.0, bytes_in=1000, bytes_out=3001, price_nanos=3002)
COMPOSED = Cost(cpu_ms=40.0, bytes_in=10, bytes_out=20, price_nanos=500)


@pytest.fixture(params=["sqlite", "postgresql"])
def flow(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Flow]:
    sqlite = request.param == "sqlite"
    database = Database(f"sqlite:///{tmp_path}/facts.db" if sqlite else request.getfixturevalue("postgres_url"))
    database.create_tables()
    yield Flow(database)
    database.drop_tables()
    database.close()


def spent(flow: Flow, *by: Grouping, tenant: str | None = None, since_ms: int = 0) -> dict[tuple[str, ...], Spending]:
    with flow.database.read() as facts:
        found = facts.costs.spendings(by, tenant=tenant, since_ms=since_ms)
    return {tuple(each.group.values()): each for each in found}


def total(flow: Flow) -> Spending:
    return spent(flow)[()]


def cut(flow: Flow, channels: tuple[str, ...] = ("amazon", "google"), **more: object) -> list[Task]:
    """The tasks that follow a cutout which cost `CUT`."""
    (task,) = tasks(flow.say(upsert(channels=channels, **more)))  # type: ignore[arg-type]
    return tasks(flow.say(cost_of(task, CUT)))


def cost_of(task: Task, cost: Cost, **measures: float) -> TaskCompleted:
    return replace(done(task, **measures), costs={"store": cost})


def picture(task: Task, digest: str = "a", **measures: float) -> TaskCompleted:
    """A packshot that cost `COMPOSED`."""
    return replace(cost_of(task, COMPOSED, **measures), outputs=[blob(digest)], result_id=digest * 64)


def composed(flow: Flow, task: Task, digest: str = "a", **measures: float) -> Event:
    """What follows a packshot."""
    (answer,) = flow.say(picture(task, digest, **measures))
    return answer


def publish(flow: Flow, request: Event) -> None:
    assert isinstance(request, PublishRequested)
    flow.say(published(request))


def test_a_cutout_is_shared_out_among_its_assets_to_the_last_nano(flow: Flow) -> None:
    (task,) = tasks(flow.say(upsert(channels=["amazon", "google"])))
    each = shares(cost_of(task, CUT))
    assert [(share.asset, share.price_nanos) for share in each] == [
        ("amazon-1", 1001),
        ("google-1", 1001),
        ("web-1", 1000),
    ]
    assert sum(share.size_bytes for share in each) == 4001
    assert [share.engine_ms for share in each] == [30.0] * 3
    assert {share.digest for share in each} == {""}


def test_a_completion_from_before_costs_were_measured_tells_of_none(flow: Flow) -> None:
    (task,) = tasks(flow.say(upsert()))
    flow.say(done(task))
    assert spent(flow) == {}


def test_an_accepted_image_costs_its_own_step_its_part_of_those_before_and_of_what_was_wasted(flow: Flow) -> None:
    amazon, google, web = cut(flow)
    publish(flow, composed(flow, amazon))
    publish(flow, composed(flow, web))
    flow.say(TaskFailed(task=google, kind="permanent", code="too_heavy", message="too heavy"))
    found = total(flow)
    assert found.images == 2
    assert found.price_nanos == {
        "accepted": 1001 + 1000 + 2 * 500,
        "failed": 1001,
        "rejected": 0,
        "superseded": 0,
        "open": 0,
    }
    assert (found.total_nanos, found.wasted_nanos, found.per_image_nanos) == (4002, 1001, 2001)
    assert found.engine_ms == pytest.approx(90)
    assert found.cpu_ms == pytest.approx(30 + 2 * 40)
    assert found.size_bytes == 4001 + 2 * 30


def test_what_is_under_way_is_neither_wasted_nor_part_of_an_image(flow: Flow) -> None:
    amazon, *_ = cut(flow)
    publish(flow, composed(flow, amazon))
    found = total(flow)
    assert (found.price_nanos["open"], found.wasted_nanos, found.per_image_nanos) == (2001, 0, 1501)


def test_where_nothing_was_accepted_an_image_has_no_price(flow: Flow) -> None:
    cut(flow)
    assert (total(flow).images, total(flow).per_image_nanos) == (0, None)


def test_what_is_reported_twice_costs_once(flow: Flow) -> None:
    (task,) = tasks(flow.say(upsert()))
    event = cost_of(task, CUT)
    amazon, _web = tasks(flow.say(event))
    request = composed(flow, amazon)
    publish(flow, request)
    before = total(flow)
    flow.say(event)
    flow.say(picture(amazon))
    publish(flow, request)
    assert total(flow) == before
    assert before.images == 1


def test_groups_tell_channels_and_operations_apart_and_count_their_own_images(flow: Flow) -> None:
    amazon, google, web = cut(flow)
    for task in (amazon, google, web):
        publish(flow, composed(flow, task))
    by_operation = {key: (each.images, each.total_nanos) for key, each in spent(flow, "operation").items()}
    assert by_operation == {("cutout",): (3, 3002), ("packshot",): (2, 1000), ("transparent",): (1, 500)}
    by_both = spent(flow, "channel", "operation")
    assert list(by_both) == sorted(by_both)
    assert by_both["google", "packshot"].group == {"channel": "google", "operation": "packshot"}
    assert {key: each.per_image_nanos for key, each in spent(flow, "channel").items()} == {
        ("amazon",): 1501,
        ("google",): 1501,
        ("web",): 1500,
    }


def test_tenants_are_distinguished(flow: Flow) -> None:
    (task,) = tasks(flow.say(replace(upsert(), tenant="other")))
    flow.say(cost_of(task, CUT))
    cut(flow)
    assert {key: each.total_nanos for key, each in spent(flow, "tenant").items()} == {("demo",): 3002, ("other",): 3002}
    assert list(spent(flow, "tenant", tenant="other")) == [("other",)]
    assert spent(flow, tenant="nobody") == {}


def test_older_work_is_left_out(flow: Flow) -> None:
    amazon, *_ = cut(flow)
    event = cost_of(amazon, COMPOSED)
    with flow.database.begin() as facts:
        facts.at(2**42)
        facts.costs.put(shares(event))
    assert list(spent(flow, "operation", since_ms=2**42)) == [("packshot",)]
    assert list(spent(flow, "operation", since_ms=2**42 + 1)) == []


def test_a_rejected_asset_was_wasted_and_a_redone_one_costs_both_tries(flow: Flow) -> None:
    amazon, *_ = cut(flow, ("amazon",))
    review = composed(flow, amazon, fill=0.5)
    assert isinstance(review, ReviewRequested)
    about = {"review_id": review.review_id, "tenant": "demo", "sku": "A", "approved": False}
    (task,) = tasks(flow.say(ReviewDecided(**about, redo=True, parameters={"padding": "0.02"})))  # type: ignore[arg-type]
    again = composed(flow, task, "d", fill=0.5)
    assert isinstance(again, ReviewRequested)
    flow.say(replace(ReviewDecided(**about), review_id=again.review_id))  # type: ignore[arg-type]
    found = spent(flow, "channel")["amazon",]
    assert (found.price_nanos["rejected"], found.wasted_nanos, found.images) == (1501 + 2 * 500, 2501, 0)


def test_the_first_try_of_an_asset_that_was_accepted_later_is_superseded(flow: Flow) -> None:
    amazon, *_ = cut(flow, ("amazon",))
    review = composed(flow, amazon, fill=0.5)
    assert isinstance(review, ReviewRequested)
    redo = ReviewDecided(
        review_id=review.review_id, tenant="demo", sku="A", approved=False, redo=True, parameters={"padding": "0.02"}
    )
    (task,) = tasks(flow.say(redo))
    publish(flow, composed(flow, task, "d"))
    found = spent(flow, "channel")["amazon",]
    assert (found.price_nanos["superseded"], found.price_nanos["accepted"], found.images) == (500, 2001, 1)


def test_an_approved_asset_is_accepted_once_it_is_published(flow: Flow) -> None:
    amazon, *_ = cut(flow, ("amazon",))
    review = composed(flow, amazon, fill=0.5)
    assert isinstance(review, ReviewRequested)
    (request,) = flow.say(ReviewDecided(review_id=review.review_id, tenant="demo", sku="A", approved=True))
    assert spent(flow, "channel")["amazon",].images == 0
    publish(flow, request)
    assert spent(flow, "channel")["amazon",].images == 1


def test_a_newer_version_wastes_what_the_older_was_not_done_with_and_takes_nothing_back(flow: Flow) -> None:
    amazon, *_ = cut(flow, ("amazon",))
    publish(flow, composed(flow, amazon))
    flow.say(upsert(version=2, channels=["amazon"], photo="b.jpg"))
    found = total(flow)
    assert (found.images, found.price_nanos["accepted"], found.price_nanos["superseded"]) == (1, 2001, 1501)


def test_what_the_cache_saved_is_distinguished_from_what_was_spent(flow: Flow) -> None:
    (task,) = tasks(flow.say(upsert(channels=["amazon", "google"])))
    found = Cost(cpu_ms=3.0, bytes_in=1000, price_nanos=30)
    flow.say(replace(done(task), cached=True, costs={"fetch": found}, saved=CUT))
    spending = total(flow)
    assert (spending.total_nanos, spending.saved_price_nanos) == (30, 3002)
    assert spending.engine_ms == 0
    assert spending.saved_engine_ms == pytest.approx(90)


# the command


def command(flow: Flow, *arguments: str) -> str:
    done = CliRunner().invoke(packshot, ["costs", *arguments], env={"PACKSHOT_DATABASE_URL": flow.database.url})
    assert done.exit_code == 0, done.output
    return done.stdout


def test_the_command_tells_programs_the_groups_and_the_total(flow: Flow) -> None:
    amazon, *_ = cut(flow, ("amazon",))
    publish(flow, composed(flow, amazon))
    view = json.loads(command(flow, "--by", "tenant", "--by", "channel", "--json"))
    assert view["currency"] == "EUR"
    amazons, webs = view["groups"]
    assert (amazons["group"], webs["group"]["channel"]) == ({"tenant": "demo", "channel": "amazon"}, "web")
    assert (amazons["images"], amazons["per_image_nanos"]) == (1, 2001)
    assert view["total"]["total_nanos"] == amazons["total_nanos"] + webs["total_nanos"] == 3502
    assert json.loads(command(flow, "--tenant", "nobody", "--json")) == {"currency": "EUR", "groups": [], "total": None}


def test_the_command_shows_people_a_row_for_each_group_and_one_for_all(flow: Flow) -> None:
    assert command(flow).startswith("no work has ended")
    cut(flow, ("amazon",))
    rows = [line.split() for line in command(flow, "--by", "operation", "--since", "1h").splitlines() if line.strip()]
    assert [row[0] for row in rows[-2:]] == ["cutout", "all"]
    assert command(flow, "--since", "2100-01-01").startswith("no work has ended")


def test_what_is_more_than_a_database_takes_is_as_much_as_it_takes(flow: Flow) -> None:
    task, *_ = cut(flow, ("amazon",))
    most = Cost(bytes_in=2**63 - 1, bytes_out=2**63 - 1, price_nanos=2**63 - 1)
    flow.say(replace(done(task), costs={"fetch": most, "store": most}, saved=most))
    assert 2**53 <= total(flow).total_nanos < 2**54


def test_enough_of_the_largest_costs_add_up(flow: Flow) -> None:
    """A database's whole numbers end at 2^63; a thousand and some tasks that cost the most are more than that."""
    one = Share(
        task_id="t",
        operation="cutout",
        result_id="r",
        asset="a",
        tenant="demo",
        sku="A",
        version=1,
        channel="",
        digest="",
        size_bytes=WHOLE_MAX,
        price_nanos=WHOLE_MAX - 1,
        saved_price_nanos=WHOLE_MAX,
        engine_ms=1.0,
        cpu_ms=1.0,
        saved_engine_ms=1.0,
    )
    every = [dataclasses.replace(one, task_id=f"t{number}") for number in range(1100)]
    with flow.database.begin() as facts:
        facts.costs.put(every)
    (all_of_it,) = spent(flow).values()
    assert all_of_it.size_bytes == all_of_it.saved_price_nanos == 1100 * WHOLE_MAX > 2**63
    assert all_of_it.total_nanos == 1100 * (WHOLE_MAX - 1)
