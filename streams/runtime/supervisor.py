"""The whole system on one machine: the broker and every role as a process of its own, started again when one dies."""

import contextlib
import ctypes
import fcntl
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

import structlog

from streams.runtime.private import open_private, private_folder, write_private
from streams.runtime.settings import Settings, variable

ROLES: tuple[tuple[str, ...], ...] = (
    ("cdn",),
    ("gateway",),
    ("streams",),
    ("worker", "--pool", "cutout"),
    ("worker", "--pool", "compose"),
    ("publisher",),
    ("retrier",),
    ("webhooks",),
    ("connectors",),
)
STOP_S = 40.0
RESTART_WAIT_S = 1.0
RESTART_WAIT_MAX_S = 30.0
STEADY_S = 60.0  # what ran for so long has started well
PR_SET_PDEATHSIG = 1
READY_BYTES_MAX = 4096  # of what a role says when it is ready

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
    is_ready: bool = False

    @property
    def name(self) -> str:
        """The role's name, with its pool."""
        return _name(self.arguments)


class Supervisor:
    """Runs every role with the settings in `environment`; their logs go to `logs_folder`.

    `tell` hears, in a sentence, of a role that died. Roles say that they are ready by systemd's protocol. With
    `named_members` a role that is started again is to the broker the member of its groups that died.
    """

    def __init__(
        self,
        environment: Mapping[str, str],
        logs_folder: Path,
        tell: Callable[[str], None],
        *,
        named_members: bool = False,
    ) -> None:
        self._tell = tell
        self._named_members = named_members
        self._sockets = tempfile.TemporaryDirectory(prefix="packshot-")  # ours alone; a socket's path must be short
        self._heard = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._heard.bind(f"{self._sockets.name}/ready")
        self._environment = {**os.environ, **environment, "NOTIFY_SOCKET": f"{self._sockets.name}/ready"}
        self._logs_folder = logs_folder
        private_folder(logs_folder)
        self.roles = [Role(arguments, self._start(arguments)) for arguments in ROLES]

    def watch(self, stop: threading.Event) -> None:
        """Starts again whatever has died, until `stop` is set."""
        while not stop.wait(RESTART_WAIT_S):
            self.start_dead_ones()

    def wait_until_ready(self, stop: threading.Event) -> bool:
        """Waits until every role has said that it is ready, starting again whatever dies; False when told to stop."""
        self._heard.settimeout(RESTART_WAIT_S)
        while not stop.is_set():
            with contextlib.suppress(TimeoutError):
                self._note_ready(self._heard.recv(READY_BYTES_MAX))
            if all(role.is_ready for role in self.roles):
                return True
            self.start_dead_ones()
        return False

    def start_dead_ones(self) -> None:
        """Starts again those that have died and whose time has come."""
        for role in self.roles:
            if role.process.poll() is not None:
                self._start_again(role)

    def _note_ready(self, message: bytes) -> None:
        for role in self.roles:
            role.is_ready |= f"MAINPID={role.process.pid}".encode() in message.split(b"\n")

    def _start_again(self, role: Role) -> None:
        """Tells of a role that has died, once; starts it when its time has come, later the more often it died."""
        now_s = time.monotonic()
        if role.start_at_s is None:
            lasted_s = now_s - role.started_s
            role.deaths = 1 if lasted_s > STEADY_S else role.deaths + 1
            wait_s = min(RESTART_WAIT_S * 2 ** (role.deaths - 1), RESTART_WAIT_MAX_S)
            role.start_at_s = now_s + wait_s
            how = ended(role.process.returncode)
            self._tell(f"{role.name} died ({how}) and is started again; see {self._log_of(role.arguments)}")
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
        self._heard.close()
        self._sockets.cleanup()

    def _start(self, arguments: tuple[str, ...]) -> subprocess.Popen[bytes]:
        with open(open_private(self._log_of(arguments), os.O_WRONLY | os.O_APPEND), "ab") as output:
            return subprocess.Popen(
                [sys.executable, "-m", "streams.commands.cli", "run", *arguments],
                env=self._environment | self._membership(arguments),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,  # Ctrl-C is the supervisor's to handle
                preexec_fn=_die_with_parent,
            )

    def _membership(self, arguments: tuple[str, ...]) -> dict[str, str]:
        return {variable("kafka_group_instance_id"): _name(arguments)} if self._named_members else {}

    def _log_of(self, arguments: tuple[str, ...]) -> Path:
        return self._logs_folder / f"{_name(arguments)}.log"


def _name(arguments: tuple[str, ...]) -> str:
    return "-".join(part for part in arguments if not part.startswith("--"))


def ended(code: int) -> str:
    """How a process ended, by its return code: the name of the signal, or the exit status."""
    return signal.Signals(-code).name if code < 0 else f"exit status {code}"


def environment(settings: Settings, bootstrap_servers: str) -> dict[str, str]:
    """What the roles of a local system are told beyond this process's own environment."""
    variables = {
        variable("data_folder"): str(settings.data_folder.absolute()),
        variable("cache_folder"): str(settings.cache_folder.absolute()),
        variable("kafka_bootstrap_servers"): bootstrap_servers,
        "OMP_NUM_THREADS": os.environ.get("OMP_NUM_THREADS", "1"),  # the roles share the cores among themselves
    }
    if variable("source_file_roots") not in os.environ:
        variables[variable("source_file_roots")] = "/"  # whoever runs the system here may read here anyway
    return variables


@contextlib.contextmanager
def only_one(data_folder: Path) -> Iterator[IO[str]]:
    """Holds the data folder for this process. Raises AlreadyRunning."""
    private_folder(data_folder)
    with open(open_private(data_folder / "up.lock"), "r+") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise AlreadyRunning(f"{data_folder.absolute()} is up already{_by(data_folder)}") from None
        yield lock


def _by(data_folder: Path) -> str:
    """Whose process holds the folder, as far as it has said so yet."""
    try:
        return f", by process {json.loads((data_folder / 'running.json').read_text())['pid']}"
    except (OSError, ValueError, KeyError):
        return ""


def write_running_file(settings: Settings, **facts: str) -> None:
    """Tells other commands on this machine what was started."""
    write_private(settings.running_file, json.dumps({**facts, "pid": os.getpid()}))


def _die_with_parent() -> None:
    """Linux ends this process when the supervisor is gone, even by SIGKILL."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
