"""Roles that die are started again: at once the first time, ever later where they keep dying."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from streams.runtime import supervisor as module
from streams.runtime.supervisor import RESTART_WAIT_MAX_S, RESTART_WAIT_S, STEADY_S, Supervisor, ended


class Process:
    """A process that has died, or has not."""

    def __init__(self, returncode: int | None) -> None:
        self.returncode = returncode

    def poll(self) -> int | None:
        return self.returncode


class Machine:
    """One role whose processes live for `lives_s`; the times of its starts are kept."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        self.now_s = 0.0
        self.lives_s = 0.0
        self.starts: list[float] = []
        monkeypatch.setattr(module, "ROLES", [("streams",)])
        monkeypatch.setattr("time.monotonic", lambda: self.now_s)
        monkeypatch.setattr(Supervisor, "_start", self._start)
        self.supervisor = Supervisor({}, tmp_path, lambda _line: None)

    def _start(self, _arguments: tuple[str, ...]) -> Process:
        self.starts.append(self.now_s)
        return Process(None)

    def pass_time(self, seconds: float) -> None:
        for _ in range(round(seconds)):
            self.now_s += 1.0
            [role] = self.supervisor.roles
            if self.now_s - self.starts[-1] >= self.lives_s:
                role.process = Process(-9)  # type: ignore[assignment]
            self.supervisor.start_dead_ones()


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Machine]:
    made = Machine(monkeypatch, tmp_path)
    yield made
    made.supervisor.roles.clear()  # its processes are none
    made.supervisor.stop()


def test_a_role_that_keeps_dying_is_started_ever_later(machine: Machine) -> None:
    machine.pass_time(300)
    waits = [later - earlier for earlier, later in zip(machine.starts, machine.starts[1:], strict=False)]
    assert waits == sorted(waits)
    assert waits[0] <= 2 * RESTART_WAIT_S + 1
    assert RESTART_WAIT_MAX_S <= waits[-1] <= RESTART_WAIT_MAX_S + 2
    assert machine.supervisor.roles[0].restarts == len(machine.starts) - 1


def test_a_role_that_ran_for_long_is_started_again_at_once(machine: Machine) -> None:
    machine.pass_time(60)
    machine.lives_s = STEADY_S + 1
    machine.pass_time(RESTART_WAIT_MAX_S + machine.lives_s + 5)
    assert machine.starts[-1] - machine.starts[-2] <= machine.lives_s + 2 * RESTART_WAIT_S


@pytest.mark.parametrize(("code", "message"), [(-9, "SIGKILL"), (-11, "SIGSEGV"), (70, "exit status 70")])
def test_how_a_process_ended_is_reported_by_name(code: int, message: str) -> None:
    assert ended(code) == message
