"""A short course of `make fuzz`: what once broke, a few seeds of each target, and planted bugs, all found."""

from random import Random

import pytest

from schemas import topics
from streams.consumer.letters import Delivery
from tests.fuzzing.courses import TARGETS, Process, kept
from tests.fuzzing.mutants import MUTANTS
from tests.fuzzing.records import Records

SEEDS = 2
SEEDS_OF_A_MUTANT = 40


@pytest.mark.parametrize(("target", "seed"), kept())
def test_what_once_broke_holds(target: str, seed: int) -> None:
    TARGETS[target](seed)


@pytest.mark.parametrize("target", TARGETS)
def test_nothing_that_others_send_ends_a_role(target: str) -> None:
    for seed in range(1000, 1000 + SEEDS):
        try:
            assert TARGETS[target](seed) > 0
        except BaseException as error:
            error.add_note(f"again: python -m tests.fuzzing --seed {seed} --target {target}")
            raise


@pytest.mark.parametrize("name", MUTANTS)
def test_a_planted_bug_is_found(name: str) -> None:
    """By what it does to a role or its records, and not by any look at the code."""
    target, mutant = MUTANTS[name]
    with mutant(), pytest.raises(Exception):  # noqa: B017, PT011 - whatever it is
        _run_all(target)


def _run_all(target: str) -> None:
    for seed in range(SEEDS_OF_A_MUTANT):
        TARGETS[target](seed)


def test_a_seed_is_one_sequence_of_events() -> None:
    def drawn(seed: int) -> list[tuple[str, bytes | None, bytes]]:
        records = Records(Random(seed))
        names = [topic.name for topic in topics.every((1000,))]
        read: list[Delivery] = [records.delivery(names, offset) for offset in range(100)]
        return [(each.topic, each.key, each.value) for each in read]

    assert drawn(7) == drawn(7)
    assert drawn(7) != drawn(8)


def test_a_process_that_ends_is_a_finding() -> None:
    process = Process()
    process._process.kill()
    assert "SIGKILL" in process.run("decoder", 1).broke
    process.close()
