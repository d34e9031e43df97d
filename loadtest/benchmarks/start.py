"""What the command line costs before its own work: processor seconds, beside a Python that does nothing.

Every command runs a few times in turn with `python -c pass`, in an empty data folder; the median counts. `status` asks
for a SKU that nobody has, `submit` is given a file without events: both end before they do anything.
"""

import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

ROUNDS = 7
TARGETS = dict.fromkeys(("help_cpu_s", "status_cpu_s", "submit_cpu_s"), ("le", 0.25))


def cpu_s(command: list[str], folder: Path) -> float:
    """The processor time of a command, in s, user and system."""
    process = subprocess.Popen(command, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _, _, used = os.wait4(process.pid, 0)
    return used.ru_utime + used.ru_stime


def main() -> None:
    """Prints each figure, and all of them as JSON at the end."""
    packshot = str(Path(sys.executable).with_name("packshot"))
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "none.jsonl").touch()
        commands = {
            "nothing": [sys.executable, "-c", "pass"],
            "help": [packshot, "--help"],
            "status": [packshot, "status", "NONE"],
            "submit": [packshot, "submit", "none.jsonl"],
        }
        rounds = [{name: cpu_s(command, Path(folder)) for name, command in commands.items()} for _ in range(ROUNDS)]
    taken = {name: statistics.median(each[name] for each in rounds) for name in commands}
    figures = {f"{name}_cpu_s": round(seconds, 3) for name, seconds in taken.items()}
    figures |= {f"{name}_to_nothing": round(seconds / taken["nothing"], 2) for name, seconds in taken.items()}
    for name, figure in figures.items():
        print(f"{name}: {figure}")
    print(json.dumps({"figures": figures, "targets": TARGETS}))


if __name__ == "__main__":
    main()
