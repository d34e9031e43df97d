"""The flow's world at work: a database that is made once, a broken processor, and one course of steps."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import cache
from random import Random
from unittest.mock import patch

from sqlalchemy import delete

from schemas.records import (
    CatalogChanged,
)
from streams.facts import Database, Facts, Unsent, tables
from streams.flow import processing, relay
from streams.flow.processors import recipes, replanning
from streams.flow.relay import Relay
from tests.simulation import flow_people, flow_rules
from tests.simulation.flow_world import FlowWorld


@cache
def _in_memory() -> Database:
    """One for all courses: to make tables and statements costs far more than a course does."""
    database = Database("sqlite:///:memory:")
    database.create_tables()
    return database


@contextmanager
def running() -> Iterator[Database]:
    """Facts in memory, processors that break on poison, and a relay that tells which rows it sends."""
    database = _in_memory()
    with database.begin() as facts:
        for table in (*tables.metadata.sorted_tables, *tables.apart.sorted_tables):
            facts._transaction.connection.execute(delete(table))
    works, send = processing.PROCESSORS[CatalogChanged], Relay._send

    def breaks(event: CatalogChanged, facts: Facts) -> object:
        answers = works(event, facts)
        if event.title == "poison":
            raise ZeroDivisionError("poison")
        return answers

    def sent(self: Relay, rows: Sequence[Unsent]) -> None:
        self.sending = [row.id for row in rows]  # type: ignore[attr-defined]
        send(self, rows)

    with ExitStack() as stack:
        stack.enter_context(patch.dict(processing.PROCESSORS, {CatalogChanged: breaks}))
        stack.enter_context(patch.object(Relay, "_send", sent))
        stack.enter_context(patch.object(relay, "LEFT_AFTER_S", -1.0))
        stack.enter_context(patch.object(recipes, "STEP_PRODUCTS_MAX", 1))
        stack.enter_context(patch.object(replanning, "STEP_SKUS_MAX", 1))
        yield database


STEPS = 60
_CHOICES: list[tuple[Callable[[FlowWorld], object], float]] = [
    (FlowWorld.upsert, 3.0),
    (FlowWorld.campaign, 2.0),
    (FlowWorld.garbage, 0.5),
    (FlowWorld.release, 0.3),
    (FlowWorld.replay, 0.3),
    (flow_people.decide, 2.0),
    (flow_people.retouch, 0.3),
    (flow_people.undo, 0.7),
    (flow_people.withdraw, 0.3),
    (flow_rules.release, 0.2),
    (FlowWorld.streams, 15.0),
    (FlowWorld.strike, 5.0),
    (FlowWorld.work, 10.0),
    (FlowWorld.publish, 6.0),
    (FlowWorld.give_back, 1.0),
    (FlowWorld.tend, 1.0),
    (FlowWorld.move, 1.0),
]


def run(seed: int) -> FlowWorld:
    """A course of events and its end. Raises when anything does not hold."""
    rng = Random(seed)
    with running() as database:
        world = FlowWorld(rng, database)
        weights = [weight * rng.choice([0.3, 1.0, 3.0]) for _, weight in _CHOICES]
        for step in rng.choices([step for step, _ in _CHOICES], weights, k=STEPS):
            step(world)
        world.settle()
        flow_rules.check(world)
    return world
