"""What a reviewer waits for who settles a hundred mixed cases by keyboard alone, in a real browser.

The reviewer looks at each case for LOOKS_FOR_MS, a sixth of what a hundred cases in ten minutes leave for one. The
machine's waiting is the time from the key that decides to the next case on the screen, its pictures decoded.
"""

import argparse
import json
import statistics
import tempfile
from collections.abc import Sequence
from pathlib import Path

from tests.streams.web import desk_world
from tests.streams.web.browsing import chromium
from tests.streams.web.keyboard import settle

CASES, ROUNDS = 100, 3
LOOKS_FOR_MS = 1000.0
TARGETS = {"waiting_median_s": ("le", 2.5), "next_case_p95_ms": ("le", 150.0)}


def shown_ms(cases: int, looks_for_ms: float) -> Sequence[float]:
    """How long each case took to be there, in ms, the first one's page with it."""
    with (
        tempfile.TemporaryDirectory() as data,
        desk_world.running(Path(data), doubtful=cases) as world,
        chromium() as browser,
    ):
        settled = settle(browser, world, looks_for_ms)
    if len(settled.cases) != cases:
        raise SystemExit(f"{len(settled.cases)} of {cases} cases were shown")
    return settled.shown_ms


def main() -> None:
    """Prints each round, and all of them as JSON at the end."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cases", type=int, default=CASES)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--looks-for-ms", type=float, default=LOOKS_FOR_MS)
    arguments = parser.parse_args()
    rounds = []
    for number in range(arguments.rounds):
        times = shown_ms(arguments.cases, arguments.looks_for_ms)
        rounds.append(times)
        p95 = statistics.quantiles(times[1:], n=20)[-1]
        waited_s = sum(times) / 1000
        print(f"round {number + 1}: {waited_s:.2f} s in all, the first {times[0]:.0f} ms, p95 {p95:.0f} ms")
    following = [each for times in rounds for each in times[1:]]
    figures = {
        "waiting_median_s": round(statistics.median(sum(times) / 1000 for times in rounds), 3),
        "next_case_median_ms": round(statistics.median(following), 1),
        "next_case_p95_ms": round(statistics.quantiles(following, n=20)[-1], 1),
        "first_case_ms": round(statistics.median(times[0] for times in rounds), 1),
    }
    print(json.dumps({"figures": figures, "targets": TARGETS}))


if __name__ == "__main__":
    main()
