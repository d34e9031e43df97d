"""`make fuzz`: hostile records, letters and files for every role and reader, for as long as it is told.

Each target and seed is one course of events: `python -m tests.fuzzing --seed 17 --target streams` runs it again. The
first seed of each kind of finding is kept in kept.txt, which the tests run again. The last line is JSON.
"""

import argparse
import itertools
import json
import sys
import time
from collections import Counter as Tally
from collections.abc import Iterable, Iterator, Sequence

from tests.fuzzing.courses import TARGETS, Process, Run, keep, kept

REPORT_EVERY_S = 15.0


def main() -> int:
    """The exit status: 1 when a target broke."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzzing", description=__doc__)
    parser.add_argument("--minutes", type=float, default=10.0, help="how long, over all targets in turn")
    parser.add_argument("--seed", type=int, help="only the courses of this seed")
    parser.add_argument("--target", action="append", choices=sorted(TARGETS), help="only this one; may be repeated")
    chosen = parser.parse_args()
    targets = chosen.target or list(TARGETS)
    if chosen.seed is not None:
        return run(((target, chosen.seed) for target in targets), time.monotonic() + chosen.minutes * 60, keeping=False)
    first = time.time_ns() % 2**32
    once = [(target, seed) for target, seed in kept() if target in targets]
    return run(itertools.chain(once, _new(targets, first)), time.monotonic() + chosen.minutes * 60, keeping=True)


def _new(targets: Sequence[str], first: int) -> Iterator[tuple[str, int]]:
    return ((target, seed) for seed in itertools.count(first) for target in targets)


def run(wanted: Iterable[tuple[str, int]], until_s: float, *, keeping: bool) -> int:
    """Runs courses until the monotonic clock says `until_s`. Returns 1 when one broke."""
    courses, records, kinds = Tally[str](), Tally[str](), Tally[str]()
    process, began_s = Process(), time.monotonic()
    report_s = began_s + REPORT_EVERY_S
    for target, seed in wanted:
        if time.monotonic() >= until_s:
            break
        done = process.run(target, seed)
        courses[target] += 1
        records[target] += done.records
        if done.broke:
            kinds[done.kind] += 1
            _report(done, is_new=kinds[done.kind] == 1, keeping=keeping)
        if time.monotonic() >= report_s:
            report_s += REPORT_EVERY_S
            print(
                f"{courses.total():,} courses, {records.total():,} records, {len(kinds)} kinds of findings", flush=True
            )
    process.close()
    took_s = time.monotonic() - began_s
    figures = {
        "courses": courses,
        "records": records,
        "records_per_s": round(records.total() / took_s),
        "findings": kinds,
    }
    print(json.dumps(figures))
    return int(bool(kinds))


def _report(run: Run, *, is_new: bool, keeping: bool) -> None:
    if not is_new:
        return
    again = f"python -m tests.fuzzing --seed {run.seed} --target {run.target}"
    print(f"{run.target} broke at seed {run.seed}; again: {again}\n{run.broke}", file=sys.stderr, flush=True)
    if keeping:
        keep(run)


if __name__ == "__main__":
    sys.exit(main())
