"""Runs the simulation: `python -m tests.simulation --count 10000`, or one seed again: `--seed 17 --count 1`."""

import argparse
import logging
import sys

import structlog

from tests.simulation import flow_running, scenario


def main() -> int:
    """The exit status: 1 when a seed failed."""
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__)
    parser.add_argument("--seed", type=int, default=0, help="the first seed")
    parser.add_argument("--count", type=int, default=1, help="how many seeds, from the first on")
    chosen = parser.parse_args()
    level = logging.DEBUG if chosen.count == 1 else logging.CRITICAL
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(level))
    for seed in range(chosen.seed, chosen.seed + chosen.count):
        try:
            scenario.run(seed)
            flow_running.run(seed)
        except BaseException:
            print(f"seed {seed} failed; again: python -m tests.simulation --seed {seed}", file=sys.stderr)
            raise
        if seed % 500 == 499:
            print(f"{seed - chosen.seed + 1} of {chosen.count} seeds hold", flush=True)
    print(f"{chosen.count} seeds from {chosen.seed} on hold")
    return 0


if __name__ == "__main__":
    sys.exit(main())
