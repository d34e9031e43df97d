"""Courses of events: one for each target and seed, run here or in a process that may end or hang."""

import logging
import multiprocessing
import signal
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path

from tests.fuzzing import forwarders, readers, roles

KEPT = Path(__file__).parent / "kept.txt"
HANGS_AFTER_S = 120.0  # a course takes a tenth of a second, on a busy machine a few
MESSAGE_MAX = 6000

TARGETS: Mapping[str, Callable[[int], int]] = {
    "audit": readers.audit,
    "dead": readers.desk_of_dead_letters,
    "decoder": readers.decoder,
    "publisher": forwarders.publisher,
    "retrier": forwarders.retrier,
    "streams": roles.streams,
    "submit": readers.submit,
    "worker": roles.worker,
}
"""Each runs the course of a seed, and returns how many records were read. What it raises is a finding."""


@dataclass(frozen=True)
class Run:
    """What ran, how many records it read, and how it broke; empty where it held."""

    target: str
    seed: int
    records: int = 0
    broke: str = ""

    @property
    def kind(self) -> str:
        """What findings of one kind have in common: the target, and what it says last, without its numbers."""
        found = [line for line in self.broke.splitlines() if line.strip()]
        return f"{self.target}: {''.join(each for each in found[-1] if not each.isdigit())[:120]}" if found else ""


def kept() -> list[tuple[str, int]]:
    """Targets and seeds that once broke; they hold today."""
    lines = [line.partition("#")[0].split() for line in KEPT.read_text().splitlines()]
    return [(line[0], int(line[1])) for line in lines if line]


def keep(run: Run) -> None:
    """Notes a course that broke, for the tests to run again."""
    if (run.target, run.seed) not in kept():
        with KEPT.open("a") as file:
            file.write(f"{run.target} {run.seed}  # {ascii(run.kind)[1:100]}\n")


class Process:
    """Runs courses in another process; one that ends it by a signal, or hangs, is broken too."""

    def __init__(self) -> None:
        self._context = multiprocessing.get_context("spawn")
        self._begin()

    def run(self, target: str, seed: int) -> Run:
        """The course of a seed."""
        try:
            self._ours.send((target, seed))
            if self._ours.poll(HANGS_AFTER_S):
                records, broke = self._ours.recv()
                return Run(target, seed, records, broke)
            broke = f"it hangs: no end within {HANGS_AFTER_S:.0f} s"
        except (EOFError, OSError):
            self._process.join()
            broke = f"its process ended: {_said(self._process.exitcode)}"
        self.close()
        self._begin()
        return Run(target, seed, 0, broke)

    def close(self) -> None:
        """Ends the process."""
        self._process.kill()
        self._process.join()
        self._ours.close()

    def _begin(self) -> None:
        self._ours, theirs = self._context.Pipe()
        self._process = self._context.Process(target=_serve, args=(theirs,), daemon=True)
        self._process.start()
        theirs.close()


def _said(exit_code: int | None) -> str:
    return signal.Signals(-exit_code).name if exit_code is not None and exit_code < 0 else f"status {exit_code}"


def _serve(requests: Connection) -> None:
    logging.disable()
    while True:
        target, seed = requests.recv()
        try:
            requests.send((TARGETS[target](seed), ""))
        except BaseException:
            requests.send((0, traceback.format_exc()[-MESSAGE_MAX:]))
