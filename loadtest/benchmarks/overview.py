"""`make bench`: every benchmark, one after another, and at a glance what is met."""

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table

ROOT = Path(__file__).parents[2]
BENCHMARKS = (
    "priority",
    "backlog",
    "streams",
    "batcher",
    "autoscaler",
    "scheduler",
    "engine",
    "cutout",
    "worker",
    "gateway",
    "renditions",
    "pictures",
    "studio",
    "start",
    "desk",
)


@dataclass(frozen=True)
class Line:
    """One figure of a benchmark, and its target where it has one."""

    name: str
    figure: float
    how: str = ""
    limit: float = 0.0

    @property
    def is_met(self) -> bool | None:
        """Whether the target is met; None for a figure without one."""
        if not self.how:
            return None
        return self.figure >= self.limit if self.how == "ge" else self.figure <= self.limit


def lines(last_line: str) -> list[Line]:
    """The figures in the last line of a benchmark, those with a target first."""
    view = json.loads(last_line)
    found = [Line(name, figure, *view["targets"].get(name, ())) for name, figure in view["figures"].items()]
    return sorted(found, key=lambda line: not line.how)


def main() -> int:
    """Runs everything; 1 when a target was missed or a benchmark failed."""
    console = Console()
    table = Table("benchmark", "figure", "is", "target", "met")
    missed = False
    for name in BENCHMARKS:
        console.rule(f"make bench-{name}")
        done = subprocess.run(["make", "-s", f"bench-{name}"], cwd=ROOT, stdout=subprocess.PIPE, text=True, check=False)
        console.print(done.stdout, markup=False, highlight=False)
        if done.returncode or not done.stdout.strip():
            table.add_row(name, "", "", "", f"ended with {done.returncode}")
            missed = True
            continue
        for line in lines(done.stdout.strip().splitlines()[-1]):
            missed |= line.is_met is False
            target = f"{'≥' if line.how == 'ge' else '≤'} {line.limit:g}" if line.how else ""
            met = {True: "yes", False: "NO", None: ""}[line.is_met]
            table.add_row(name, line.name, f"{line.figure:g}", target, met)
    console.print(table)
    return int(missed)


if __name__ == "__main__":
    sys.exit(main())
