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
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import structlog

from streams.private import open_private, private_folder, write_private
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

    @property
    def name(self) -> str:
        """The role's name, with its pool."""
        return "-".join(part for part in self.arguments if not part.startswith("--"))


class Supervisor:
    """Runs every role with the settings in `environment`; their logs go to `logs_folder`."""

    def __init__(self, environment: Mapping[str, str], logs_folder: Path) -> None:
        self._environment = {**os.environ, **environment}
        self._logs_folder = logs_folder
        private_folder(logs_folder)
        self.roles = [Role(arguments, self._start(arguments)) for arguments in ROLES]

    def watch(self, stop: threading.Event) -> None:
        """Starts again whatever has died, until `stop` is set."""
        while not stop.wait(RESTART_WAIT_S):
            for role in self.roles:
                code = role.process.poll()
                if code is not None:
                    log.warning("role died, starting it again", died=role.name, code=code)
                    role.process = self._start(role.arguments)
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
        with open(open_private(self._logs_folder / f"{name}.log", os.O_WRONLY | os.O_APPEND), "ab") as output:
            return subprocess.Popen(
                [sys.executable, "-m", "streams.cli", "run", *arguments],
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,  # Ctrl-C is the supervisor's to handle
                preexec_fn=_die_with_parent,
            )


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
    private_folder(data_folder)
    with open(open_private(data_folder / "up.lock"), "r+") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise AlreadyRunning(f"another `packshot up` works on {data_folder}") from None
        yield lock


def write_running_file(settings: Settings, **facts: str) -> None:
    """Tells other commands on this machine what was started."""
    write_private(settings.running_file, json.dumps({**facts, "pid": os.getpid()}))


def _die_with_parent() -> None:
    """Linux ends this process when the supervisor is gone, even by SIGKILL."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
