"""`make fuzz`: hostile records for every consumer, for as long as it is told; what breaks one is kept as a file.

A target is broken when it raises, when it does not end a record, or when a good record after it is not answered.
"""

import argparse
import logging
import sys
import tempfile
import time
import traceback
from collections import Counter as Tally
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path

import structlog
from hypothesis import HealthCheck, Phase, given, seed, settings

from streams.consumer.letters import Delivery
from tests.fuzzing import kept
from tests.fuzzing.records import deliveries
from tests.fuzzing.targets import TARGETS, Target

EXAMPLES_A_ROUND = 100
BREAKS_MAX = 10


def main() -> int:
    """The exit status: 1 when a target broke."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzzing", description=__doc__)
    parser.add_argument("--minutes", type=float, default=10.0, help="how long, over all targets")
    parser.add_argument("--seed", type=int, default=time.time_ns() % 2**32, help="the first seed; the rest follow")
    parser.add_argument("--targets", nargs="+", choices=sorted(TARGETS), default=sorted(TARGETS))
    chosen = parser.parse_args()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL + 1))
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        targets = {name: stack.enter_context(TARGETS[name](folder / name)) for name in chosen.targets}
        return int(fuzz(targets, chosen.seed, time.monotonic() + chosen.minutes * 60) > 0)


def fuzz(targets: Mapping[str, Target], first_seed: int, until_s: float) -> int:
    """Feeds the targets in turn until the monotonic clock says `until_s`; returns how many times one broke."""
    fed: Tally[str] = Tally()
    breaks, number = 0, first_seed
    while time.monotonic() < until_s and breaks < BREAKS_MAX:
        breaks += sum(not holds(name, target, number, fed) for name, target in targets.items())
        number += 1
        print(f"up to seed {number}: {fed.total():,} records fed, {breaks} times one broke a target", flush=True)
    print(f"seeds {first_seed} to {number - 1}: {dict(sorted(fed.items()))}; {breaks} times one broke a target")
    return breaks


def holds(name: str, target: Target, number: int, fed: Tally[str], examples: int = EXAMPLES_A_ROUND) -> bool:
    """Whether a target holds against the records of a seed; the smallest one that breaks it is kept."""
    breaking: list[Delivery] = []

    @seed(number)
    @settings(
        max_examples=examples,
        database=None,
        deadline=None,
        phases=[Phase.generate, Phase.shrink],
        suppress_health_check=list(HealthCheck),
    )
    @given(deliveries())
    def feed(delivery: Delivery) -> None:
        fed[name] += 1
        try:
            target.feed(delivery)
        except BaseException:
            breaking.append(delivery)
            raise

    try:
        feed()
    except Exception:
        file = kept.write(name, breaking[-1]) if breaking else None
        print(f"{name} broke at seed {number}, kept as {file}", file=sys.stderr)
        traceback.print_exc()
        return False
    return True


if __name__ == "__main__":
    sys.exit(main())
