"""The streaming core under fire: many courses of events, a state machine, and planted bugs that have to be found."""

import logging
import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager
from random import Random

import pytest
import structlog
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from schemas import topics
from schemas.records import LANES, Lane
from streams.consumer.ledger import Unbalanced
from streams.consumer.watchdog import Stalled
from tests.simulation import flow_running, scenario
from tests.simulation.broker import Violation
from tests.simulation.mutants import FLOW_MUTANTS, MUTANTS, holds_a_part_against_a_release
from tests.simulation.process import Kind
from tests.simulation.world import PROCESSES, World

SEEDS, SEEDS_LONG = 50, 300  # so many in `make test`, and in all with `make test-long`
FLOW_SEEDS, FLOW_SEEDS_LONG = 10, 100
SEEDS_OF_A_TEST = 50
FLOW_SEEDS_OF_A_TEST = 10
SEEDS_OF_A_MUTANT = 100
FOUND_LATE = {holds_a_part_against_a_release}  # after some 10 s of seeds
FOUND = (Violation, Unbalanced, Stalled)
PROCESS = st.integers(0, PROCESSES - 1)


def _firsts(short: int, whole: int, of_a_test: int) -> list[object]:
    """The first seed of each test; those from `short` on are of the long course."""
    return [
        pytest.param(first, marks=[pytest.mark.long] if first >= short else []) for first in range(0, whole, of_a_test)
    ]


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    before = structlog.get_config()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    yield
    structlog.configure(**before)


def _run_all(seeds: Iterable[int], run: Callable[[int], object] = scenario.run) -> None:
    for seed in seeds:
        try:
            run(seed)
        except BaseException as error:
            error.add_note(f"seed {seed}; again, with its log: python -m tests.simulation --seed {seed}")
            raise


@pytest.mark.parametrize("first", _firsts(SEEDS, SEEDS_LONG, SEEDS_OF_A_TEST))
def test_everything_holds_whatever_happens(first: int) -> None:
    given = os.environ.get("SEED")
    _run_all([int(given)] if given else range(first, first + SEEDS_OF_A_TEST))


@pytest.mark.parametrize("mutant", MUTANTS)
def test_a_planted_bug_is_found(mutant: Callable[[], AbstractContextManager[None]]) -> None:
    """Each bug by what it breaks in the world, and not by any look at the code."""
    with mutant(), pytest.raises(FOUND):
        _run_all(range(SEEDS_OF_A_MUTANT))


@pytest.mark.parametrize("first", _firsts(FLOW_SEEDS, FLOW_SEEDS_LONG, FLOW_SEEDS_OF_A_TEST))
def test_facts_and_what_follows_from_them_hold_whatever_happens(first: int) -> None:
    given = os.environ.get("SEED")
    _run_all([int(given)] if given else range(first, first + FLOW_SEEDS_OF_A_TEST), flow_running.run)


@pytest.mark.parametrize(
    "mutant",
    [pytest.param(each, marks=[pytest.mark.long] if each in FOUND_LATE else []) for each in FLOW_MUTANTS],
)
def test_a_bug_planted_in_the_flow_is_found(mutant: Callable[[], AbstractContextManager[None]]) -> None:
    with mutant(), pytest.raises(Violation):
        _run_all(range(SEEDS_OF_A_MUTANT), flow_running.run)


def test_a_seed_of_the_flow_is_one_sequence_of_events() -> None:
    first, again = flow_running.run(5), flow_running.run(5)
    assert [record.value for record in first.on(topics.PUBLISH.name)] == [
        record.value for record in again.on(topics.PUBLISH.name)
    ]
    assert len(list(first.on(topics.PUBLISH.name))) > 3


def test_a_seed_is_one_sequence_of_events() -> None:
    first, again = scenario.run(7), scenario.run(7)
    assert first.broker.written == again.broker.written
    assert first.clock.now_s == again.clock.now_s
    assert len(first.tasks) > 20


class AnyOrder(RuleBasedStateMachine):
    """Whatever can happen in whatever order; what must hold is checked by the world at every step and at the end."""

    @initialize(seed=st.integers(0, 2**16))
    def begin_world(self, seed: int) -> None:
        self.world = World(Random(seed))

    @rule(
        lane=st.sampled_from(LANES),
        sku=st.sampled_from(scenario.SKUS),
        kind=st.sampled_from(scenario.KINDS),
        is_newer=st.booleans(),
    )
    def produce(self, lane: Lane, sku: str, kind: Kind, is_newer: bool) -> None:
        self.world.produce(lane, sku, kind, is_newer)

    @rule(index=PROCESS, turns=st.integers(1, 5))
    def poll(self, index: int, turns: int) -> None:
        for _ in range(turns):
            self.world.turn(index)

    @rule(index=PROCESS)
    def take(self, index: int) -> None:
        self.world.begin(index)

    @rule(index=PROCESS)
    def complete(self, index: int) -> None:
        self.world.complete(index)

    @rule()
    def acknowledge(self) -> None:
        self.world.acknowledge()

    @rule()
    def fail(self) -> None:
        self.world.refuse()

    @rule()
    def give_back(self) -> None:
        self.world.give_back()

    @rule()
    def publish(self) -> None:
        self.world.publish()

    @rule()
    def duplicate(self) -> None:
        self.world.duplicate()

    @rule()
    def revoke(self) -> None:
        self.world.revoke()

    @rule(index=PROCESS)
    def lose(self, index: int) -> None:
        self.world.lose(index)

    @rule(index=PROCESS)
    def crash(self, index: int) -> None:
        self.world.crash(index)

    @rule(index=PROCESS)
    def stop(self, index: int) -> None:
        self.world.stop(index)

    @rule(index=PROCESS)
    def start(self, index: int) -> None:
        self.world.start(index)

    @rule()
    def jump(self) -> None:
        self.world.jump()

    def teardown(self) -> None:
        self.world.settle()


TestAnyOrder = AnyOrder.TestCase
TestAnyOrder.settings = settings(max_examples=60, stateful_step_count=60, deadline=None)
