"""Releases and replays go in steps: others have their turn in between, and whoever is killed at one loses nothing."""

from collections import deque
from collections.abc import Iterator, Sequence
from pathlib import Path
from random import Random

import pytest

from schemas import codec, topics
from schemas.codec import HASHED
from schemas.records import (
    CatalogChanged,
    DefaultsReleased,
    Event,
    RecipeReleased,
    ReleaseContinued,
    ReplanRequested,
    ReplansContinued,
    ReplansRequested,
)
from streams.consumer.clients import NotAcknowledged
from streams.consumer.groups import CONSUMED
from streams.consumer.letters import Delivery, Outgoing, RetryPolicy, outgoing
from streams.facts import Database
from streams.flow.processing import Processing
from streams.flow.processors import recipes, replanning
from streams.services.operating import replanning as command
from streams.services.recovery.rebuilding import fill
from tests.streams.flow import Recorder, upsert

SKUS = [f"S{number:03}" for number in range(31)]
PADDED = """\
name: marketplace
version: {version}
steps:
  - operation: cutout
    next:
      - {{operation: packshot, each: channel, parameters: {{padding: {padding}}}}}
"""
OURS = frozenset(topic.name for topic in CONSUMED)


@pytest.fixture
def database(monkeypatch: pytest.MonkeyPatch) -> Iterator[Database]:
    monkeypatch.setattr(recipes, "STEP_PRODUCTS_MAX", 10)
    monkeypatch.setattr(replanning, "STEP_SKUS_MAX", 4)
    opened = Database("sqlite:///:memory:")
    opened.create_tables()
    yield opened
    opened.close()


class World:
    """A streams role on one partition of each topic. What it sends is read by it; at random it is killed meanwhile:
    before the broker has anything, or when it has taken all and nobody was told."""

    codec = HASHED

    def __init__(self, database: Database, seed: int | None = None) -> None:
        self._database = database
        self._random = None if seed is None else Random(seed)
        self._waiting: deque[Outgoing] = deque()
        self.log: list[Delivery] = []
        self.handled: list[Event] = []
        self.kills = 0
        self._processing = Processing(database, self, RetryPolicy((1000,)))

    def write(self, *events: Event) -> None:
        self._waiting.extend(outgoing(event, "test") for event in events)

    def send(self, records: Sequence[Outgoing]) -> None:
        end = self._random.choice(["lives"] * 8 + ["before", "behind"]) if self._random else "lives"
        if end == "before":
            raise NotAcknowledged("killed")
        self._waiting.extend(record for record in records if record.topic in OURS)
        if end == "behind":
            raise NotAcknowledged("killed")

    def run(self) -> None:
        while self._waiting:
            record, offset = self._waiting[0], len(self.log)
            delivery = Delivery(record.topic, 0, offset, record.key, record.value, record.headers, 1_000 + offset)
            while not self._handled(delivery):
                self.kills += 1
            self._waiting.popleft()
            self.log.append(delivery)
            self.handled.append(codec.decode(record.value))

    def _handled(self, delivery: Delivery) -> bool:
        try:
            self._processing.run([delivery])
        except NotAcknowledged:
            self._processing = Processing(self._database, self, RetryPolicy((1000,)))
            return False
        return True


def release(version: int, padding: float) -> RecipeReleased:
    text = PADDED.format(version=version, padding=padding)
    return RecipeReleased(recipe="marketplace", version=version, text=text, released_at_ms=1)


def replanned(world: World) -> list[str]:
    return [event.sku for event in world.handled if isinstance(event, ReplanRequested)]


def with_products(database: Database, seed: int | None = None) -> World:
    world = World(database)
    world.write(*(upsert(sku=sku) for sku in SKUS))
    world.run()
    before, world = world, World(database, seed)
    world.log = before.log
    return world


@pytest.mark.parametrize("seed", range(4))
def test_a_release_reaches_every_product_wherever_the_role_is_killed(database: Database, seed: int) -> None:
    world = with_products(database, seed)
    world.write(release(2, 0.1))
    world.run()
    assert world.kills
    assert set(replanned(world)) == set(SKUS)
    assert any(isinstance(event, ReleaseContinued) for event in world.handled)
    with database.begin() as facts:
        assert not facts.replans.has("demo")


@pytest.mark.parametrize("seed", range(4))
def test_a_replay_reaches_every_product_wherever_the_role_is_killed(database: Database, seed: int) -> None:
    world = with_products(database, seed)
    recorder = Recorder()
    command.replan([("demo", sku) for sku in SKUS], "standard", "new rules", recorder)
    world.write(*(codec.decode(record.value) for record in recorder.records))
    world.run()
    assert world.kills
    assert set(replanned(world)) == set(SKUS)
    lanes = {(event.lane, event.reason) for event in world.handled if isinstance(event, ReplanRequested)}
    assert lanes == {("standard", "new rules")}


@pytest.mark.parametrize("described", ["release", "replay"])
def test_what_others_write_waits_for_one_step_at_most(database: Database, described: str) -> None:
    world = with_products(database)
    world.write(release(2, 0.1) if described == "release" else ReplansRequested(tenant="demo", skus=SKUS))
    world.write(upsert(sku="NEW"))
    world.run()
    before = world.handled.index(next(each for each in world.handled if isinstance(each, CatalogChanged)))
    assert before == 1
    runs = "".join("." if isinstance(event, ReplanRequested) else " " for event in world.handled).split()
    assert max(map(len, runs)) <= 4
    assert len(replanned(world)) == len(SKUS)


def test_products_asked_for_while_a_tenant_is_at_work_begin_no_second_row_of_steps(database: Database) -> None:
    world = with_products(database)
    world.write(ReplansRequested(tenant="demo", skus=SKUS[:20]), ReplansRequested(tenant="demo", skus=SKUS[10:]))
    world.run()
    steps = [event for event in world.handled if isinstance(event, ReplansContinued)]
    assert len(steps) <= len(SKUS) / 4 + 1
    assert set(replanned(world)) == set(SKUS)


def test_of_two_releases_at_work_at_once_each_product_is_made_by_the_newest(database: Database) -> None:
    """The second undoes the first for the defaults' tenant: held against each other's rest, neither would see it."""
    world = with_products(database)
    defaults = "tenant: demo\nversion: 1\ndefaults:\n  - {operation: packshot, parameters: {padding: 0.1}}\n"
    world.write(release(2, 0.1), DefaultsReleased(tenant="demo", version=1, text=defaults, released_at_ms=2))
    world.run()
    assert set(replanned(world)) == set(SKUS)


def test_facts_that_are_made_anew_plan_as_the_steps_did(database: Database, tmp_path: Path) -> None:
    world = with_products(database)
    world.write(release(2, 0.1), ReplansRequested(tenant="demo", skus=SKUS))
    world.run()
    anew = Database(f"sqlite:///{tmp_path}/anew.db")
    anew.create_tables()
    with anew.begin() as facts:
        fill(facts, world.log, [])
    assert {name: rows for name, rows in anew.dump().items() if name != "tasks"} == {
        name: rows for name, rows in database.dump().items() if name != "tasks"
    }
    anew.close()


def test_the_command_asks_for_many_together_and_for_few_one_by_one() -> None:
    recorder = Recorder()
    many = [("demo", sku) for sku in SKUS * 4]
    command.replan([("acme", "A"), *many], "bulk", "", recorder)
    events = [codec.decode(record.value) for record in recorder.records]
    assert [type(event) for event in events] == [ReplanRequested, ReplansRequested, ReplansRequested]
    assert {record.topic for record in recorder.records} == {topics.CATALOG.name}


def test_what_takes_long_is_held_against_few_products_a_step(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else a slow rule about texts would hold up one step for minutes, and the role would count as one that stands."""
    monkeypatch.setattr(recipes, "STEP_PRODUCTS_MAX", 500)
    monkeypatch.setattr(recipes, "STEP_CPU_S", 0.0)
    world = with_products(database)
    world.write(release(2, 0.1))
    world.run()
    steps = [event.after_sku for event in world.handled if isinstance(event, ReleaseContinued)]
    assert steps == SKUS[:-1]
    assert set(replanned(world)) == set(SKUS)
