"""The whole system on one machine: the broker and every role as a process of its own, started again when one dies."""

import contextlib
import ctypes
import fcntl
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

import structlog

from streams.settings import Settings, variable

ROLES: tuple[tuple[str, ...], ...] = (
    ("gateway",),
    ("streams",),
    ("worker", "--pool", "cutout"),
    ("worker", "--pool", "compose"),
    ("publisher",),
    ("retrier",),
)
STOP_S = 40.0
RESTART_WAIT_S = 1.0
RESTART_WAIT_MAX_S = 30.0
STEADY_S = 60.0  # what ran for so long has started well
PR_SET_PDEATHSIG = 1

log = structlog.get_logger()


class AlreadyRunning(Exception):
    """Another `packshot up` works on the same data folder."""


@dataclass
class Role:
    """One role and the process that it has at the moment."""

    arguments: tuple[str, ...]
    process: subprocess.Popen[bytes]
    restarts: int = 0
    deaths: int = 0  # in a row, none of them long after its start
    started_s: float = field(default_factory=time.monotonic)
    start_at_s: float | None = None  # of one that has died

    @property
    def name(self) -> str:
        """The role's name, with its pool."""
        return "-".join(part for part in self.arguments if not part.startswith("--"))


class Supervisor:
    """Runs every role with the settings in `environment`; their logs go to `logs_folder`."""

    def __init__(self, environment: Mapping[str, str], logs_folder: Path) -> None:
        self._environment = {**os.environ, **environment}
        self._logs_folder = logs_folder
        logs_folder.mkdir(parents=True, exist_ok=True)
        self.roles = [Role(arguments, self._start(arguments)) for arguments in ROLES]

    def watch(self, stop: threading.Event) -> None:
        """Starts again whatever has died, until `stop` is set."""
        while not stop.wait(RESTART_WAIT_S):
            self.start_dead_ones()

    def start_dead_ones(self) -> None:
        """Starts again those that have died and whose time has come."""
        for role in self.roles:
            if role.process.poll() is not None:
                self._start_again(role)

    def _start_again(self, role: Role) -> None:
        """Tells of a role that has died, once; starts it when its time has come, later the more often it died."""
        now_s = time.monotonic()
        if role.start_at_s is None:
            lasted_s = now_s - role.started_s
            role.deaths = 1 if lasted_s > STEADY_S else role.deaths + 1
            wait_s = min(RESTART_WAIT_S * 2 ** (role.deaths - 1), RESTART_WAIT_MAX_S)
            role.start_at_s = now_s + wait_s
            how = ended(role.process.returncode)
            log.warning("role died", died=role.name, how=how, after_s=round(lasted_s), starts_again_in_s=wait_s)
        elif now_s >= role.start_at_s:
            role.process = self._start(role.arguments)
            role.started_s, role.start_at_s = now_s, None
            role.restarts += 1

    def stop(self) -> None:
        """Asks every role to end what it has in hand, and ends those that do not within the time."""
        for role in self.roles:
            role.process.terminate()
        deadline = time.monotonic() + STOP_S
        for role in self.roles:
            try:
                role.process.wait(max(0.1, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                log.warning("role did not end in time", late=role.name)
                role.process.kill()
                role.process.wait()

    def _start(self, arguments: tuple[str, ...]) -> subprocess.Popen[bytes]:
        name = "-".join(part for part in arguments if not part.startswith("--"))
        with (self._logs_folder / f"{name}.log").open("ab") as output:
            return subprocess.Popen(
                [sys.executable, "-m", "streams.cli", "run", *arguments],
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,  # Ctrl-C is the supervisor's to handle
                preexec_fn=_die_with_parent,
            )


def ended(code: int) -> str:
    """How a process ended, by its return code: the name of the signal, or the exit status."""
    return signal.Signals(-code).name if code < 0 else f"exit status {code}"


def environment(settings: Settings, bootstrap_servers: str) -> dict[str, str]:
    """What the roles of a local system are told beyond this process's own environment."""
    told = {
        variable("data_folder"): str(settings.data_folder.absolute()),
        variable("cache_folder"): str(settings.cache_folder.absolute()),
        variable("kafka_bootstrap_servers"): bootstrap_servers,
        "OMP_NUM_THREADS": os.environ.get("OMP_NUM_THREADS", "1"),  # the roles share the cores among themselves
    }
    if variable("source_file_roots") not in os.environ:
        told[variable("source_file_roots")] = "/"  # whoever runs the system here may read here anyway
    return told


@contextlib.contextmanager
def only_one(data_folder: Path) -> Iterator[IO[str]]:
    """Holds the data folder for this process. Raises AlreadyRunning."""
    data_folder.mkdir(parents=True, exist_ok=True)
    with (data_folder / "up.lock").open("a+") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise AlreadyRunning(f"another `packshot up` works on {data_folder}") from None
        yield lock


def write_running_file(settings: Settings, **facts: str) -> None:
    """Tells other commands on this machine what was started."""
    temporary = settings.running_file.with_suffix(".tmp")
    temporary.write_text(json.dumps({**facts, "pid": os.getpid()}))
    temporary.replace(settings.running_file)


def _die_with_parent() -> None:
    """Linux ends this process when the supervisor is gone, even by SIGKILL."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
