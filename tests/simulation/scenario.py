"""One seed, one course of events."""

from collections.abc import Callable
from random import Random

from schemas.records import LANES
from tests.simulation.process import Kind
from tests.simulation.world import PROCESSES, World

STEPS = 300
KINDS: tuple[Kind, ...] = ("good", "flaky", "bad", "bug")
# What is asked for and how much at a time: work that can be done, work of all kinds, and a flood that opens breakers.
DEMANDS: list[tuple[list[Kind], list[int]]] = [
    (["good", "good", "flaky"], [1, 1, 5]),
    (["good", "good", "good", "flaky", "bad", "bug"], [1, 1, 5]),
    (["good", "bad", "bug", "bug", "bug", "bug"], [1, 5, 20]),
]
SKUS = ("a1", "a2", "a3", "b1", "c1")


def run(seed: int) -> World:
    """A course of events and its end. Raises when anything does not hold."""
    rng = Random(seed)
    world = World(rng)
    steps = _steps(world, *rng.choice(DEMANDS))
    # Each seed has habits of its own: some worlds are calm, in others little else than faults happens.
    weights = [weight * rng.choice([0.2, 1.0, 3.0]) for _, weight in steps]
    for step in rng.choices([step for step, _ in steps], weights, k=STEPS):
        step()
    world.settle()
    return world


def _steps(world: World, kinds: list[Kind], counts: list[int]) -> list[tuple[Callable[[], None], float]]:
    rng = world.rng

    def somewhere(step: Callable[[int], None]) -> Callable[[], None]:
        return lambda: step(rng.randrange(PROCESSES))

    def produce() -> None:
        lane = rng.choice(LANES)
        for _ in range(rng.choice(counts)):
            world.produce(lane, rng.choice(SKUS), rng.choice(kinds), rng.random() < 0.3)

    return [
        (produce, 6.0),
        (somewhere(world.turn), 30.0),
        (somewhere(world.begin), 20.0),
        (somewhere(world.complete), 20.0),
        (world.acknowledge, 20.0),
        (world.give_back, 2.0),
        (world.publish, 3.0),
        (world.duplicate, 0.5),
        (world.refuse, 0.2),
        (world.revoke, 1.0),
        (somewhere(world.lose), 0.5),
        (somewhere(world.crash), 0.4),
        (somewhere(world.stop), 0.3),
        (somewhere(world.start), 4.0),
        (world.jump, 0.5),
    ]
