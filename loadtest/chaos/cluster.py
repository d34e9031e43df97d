"""The system under chaos: Apache Kafka, PostgreSQL, an S3 server, and two of every role, each a process of its own."""

import ctypes
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack, closing, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from infra.servers import S3Server, ServerUnavailable, postgres, versitygw
from infra.servers.process import LOOPBACK, free_port
from loadtest.chaos.brokers import brokers_of
from loadtest.chaos.readiness import Readiness
from streams.consumer import groups
from streams.consumer.clients import make_topics
from streams.facts import Database
from streams.runtime.settings import Settings

ROOT = Path(__file__).parents[2]
CACHE = ROOT / ".cache"
SESSION_MS = 6000  # the least that Kafka allows
RESTART_WAIT_S = 1.0
STOP_S = 60.0
START_TRIES = 20
DISK_BYTES = 2 * 1024**3
PR_SET_PDEATHSIG = 1
ROLES: dict[str, tuple[str, ...]] = {
    "streams": ("streams",),
    "cutout": ("worker", "cutout"),
    "compose": ("worker", "compose"),
    "publisher": ("publisher",),
    "retrier": ("retrier",),
    "webhooks": ("webhooks",),
    "connectors": ("connectors",),
    "cdn": ("cdn",),
}
ALONE = ("retrier", "connectors", "cdn")
GROUPS: dict[str, list[str]] = {
    "streams": [groups.STREAMS],
    "cutout": [groups.worker("cutout", lane) for lane in ("urgent", "standard", "bulk")],
    "compose": [groups.worker("compose", lane) for lane in ("urgent", "standard", "bulk")],
    "publisher": [groups.PUBLISHER],
    "retrier": [],  # its letters wait on purpose
    "webhooks": [groups.WEBHOOKS],
    "connectors": [groups.CONNECTORS_IN, groups.CONNECTORS_OUT],
    "cdn": [],
}


@dataclass
class Member:
    """One process of a role; it is started again whenever it has ended, unless it was removed."""

    role: str
    process: subprocess.Popen[bytes]


class Disk:
    """A small disk for the storage, where this machine lets us mount one; a plain folder elsewhere."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir()
        options = f"size={DISK_BYTES},mode=755"
        mount = ["mount", "-t", "tmpfs", "-o", options, "packshot-chaos", str(folder)]
        self.is_small = os.geteuid() == 0 and subprocess.run(mount, capture_output=True, check=False).returncode == 0

    def fill(self) -> None:
        """Takes every byte that is left."""
        with (self.folder / "ballast").open("wb", buffering=0) as file, suppress(OSError):  # or close fails
            while file.write(bytes(1024 * 1024)):
                pass

    def empty(self) -> None:
        """Gives it back."""
        (self.folder / "ballast").unlink(missing_ok=True)

    def close(self) -> None:
        """Unmounts it."""
        if self.is_small:
            subprocess.run(["umount", "-l", str(self.folder)], check=True)


class Cluster:
    """Everything that runs. Servers keep their data and ports when they are killed and started again.

    `ended_themselves` counts members that ended without having been killed, such as one that would rather start anew.
    """

    def __init__(self, folder: Path, brokers: int = 1) -> None:
        self.folder = folder
        self.disk = Disk(folder / "disk")
        self._brokers = brokers_of(brokers, folder, CACHE)
        database_port, s3_port = free_port(), free_port()
        self._servers: dict[str, Callable[[], AbstractContextManager[Any]]] = {
            "database": lambda: postgres(folder / "postgres", database_port),
            "storage": lambda: versitygw(self.disk.folder, s3_port),
        }
        self.servers = (*self._brokers.names, *self._servers)
        self._ports = {"database": database_port, "storage": s3_port}
        self._running: dict[str, ExitStack] = {}
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._readiness = Readiness()
        self.members: dict[str, Member] = {}
        self.ended_themselves = 0
        self._watcher = threading.Thread(target=self._watch, name="watcher", daemon=True)
        self._environment = self._start_servers()
        self.settings = self._settings()
        make_topics(self.settings)
        with closing(Database(self.settings.database)) as database:
            database.create_tables()

    def start_members(self) -> None:
        """Two of every role; one of those in ALONE."""
        for role in ROLES:
            for number in (1,) if role in ALONE else (1, 2):
                self.add(role, number)
        self._watcher.start()

    def add(self, role: str, number: int) -> str:
        """One more member of a role; returns its name."""
        name = f"{role}-{number}"
        with self._lock:
            self.members[name] = Member(role, self._start(name, ROLES[role]))
        return name

    def remove(self, name: str) -> None:
        """Asks a member to end, and waits until it has."""
        with self._lock:
            process = self.members.pop(name).process
        process.terminate()
        _end(process)

    def signal(self, name: str, number: signal.Signals) -> None:
        """Sends a signal to a member."""
        with self._lock:
            self.members[name].process.send_signal(number)

    def wait_until_stopped(self, name: str, within_s: float) -> bool:
        """Whether a member came to stand still by itself in that time."""
        with self._lock:
            pid = self.members[name].process.pid
        deadline_s = time.monotonic() + within_s
        with suppress(psutil.NoSuchProcess):  # it has ended, and another takes its place
            while time.monotonic() < deadline_s:
                if psutil.Process(pid).status() == psutil.STATUS_STOPPED:
                    return True
                time.sleep(0.05)
        return False

    def kill_server(self, name: str) -> None:
        """SIGKILL."""
        if name in self._brokers.names:
            self._brokers.kill(name)
        else:
            self._listener(name).kill()
            self._running.pop(name).close()

    def start_server(self, name: str) -> None:
        """On the port and the data that it had."""
        for _ in range(START_TRIES):
            try:
                self._start_server(name)
                return
            except ServerUnavailable as error:  # what the killed one held is not free yet
                reason = error
                self._stop.wait(0.5)
        raise reason

    def is_ready(self) -> bool:
        """Whether every member runs and has said that it is ready: one that only just started works on nothing yet."""
        with self._lock:
            processes = [member.process for member in self.members.values()]
            return all(each.poll() is None and self._readiness.has_said_so(each.pid) for each in processes)

    def close(self) -> None:
        """Stops everything."""
        self._stop.set()
        if self._watcher.is_alive():
            self._watcher.join()
        for member in self.members.values():
            member.process.send_signal(signal.SIGCONT)
            member.process.terminate()
        for member in self.members.values():
            _end(member.process)
        for stack in self._running.values():
            stack.close()
        self._brokers.stop()
        self._readiness.close()
        self.disk.close()

    def _start_servers(self) -> dict[str, str]:
        self._brokers.start_all()
        s3: S3Server = self._start_server("storage")
        return {
            **self._brokers.environment,
            "PACKSHOT_KAFKA_SESSION_TIMEOUT_MS": str(SESSION_MS),
            "PACKSHOT_DATABASE_URL": self._start_server("database"),
            "PACKSHOT_BLOBS_URL": f"s3://{s3.bucket}/blobs",
            "PACKSHOT_ORIGIN_URL": f"s3://{s3.bucket}/origin",
            "PACKSHOT_S3_ENDPOINT": s3.endpoint,
            "PACKSHOT_SOURCE_FILE_ROOTS": str(self.folder),
            "PACKSHOT_SOURCE_PRIVATE_NETWORKS": f"{LOOPBACK}/32",
            "PACKSHOT_WEBHOOK_PRIVATE_NETWORKS": f"{LOOPBACK}/32",
            "PACKSHOT_CACHE_FOLDER": str(CACHE),
            "PACKSHOT_CDN_PORT": str(free_port()),
            "AWS_ACCESS_KEY_ID": s3.access_key,
            "AWS_SECRET_ACCESS_KEY": s3.secret_key,
            "OMP_NUM_THREADS": "1",
        }

    def _settings(self) -> Settings:
        os.environ.update(self._environment)
        return Settings(data_folder=self.folder / "data")

    def _start_server(self, name: str) -> Any:
        if name in self._brokers.names:
            return self._brokers.start(name)
        stack = ExitStack()
        started = stack.enter_context(self._servers[name]())
        self._running[name] = stack
        return started

    def _listener(self, name: str) -> psutil.Process:
        for child in psutil.Process().children():
            if any(each.laddr.port == self._ports[name] for each in child.net_connections() if each.status == "LISTEN"):
                return child
        raise ServerUnavailable(f"the {name} does not run")

    def _watch(self) -> None:
        while not self._stop.wait(RESTART_WAIT_S):
            with self._lock:
                self._readiness.listen()
                for name, member in self.members.items():
                    code = member.process.poll()
                    if code is not None:
                        self.ended_themselves += code != -signal.SIGKILL
                        member.process = self._start(name, ROLES[member.role])

    def _start(self, name: str, arguments: tuple[str, ...]) -> subprocess.Popen[bytes]:
        own = {"PACKSHOT_DATA_FOLDER": str(self.folder / name), **self._readiness.environment}
        with (self.folder / f"{name}.log").open("ab") as log:
            return subprocess.Popen(
                [sys.executable, "-m", "loadtest.chaos.role", *arguments],
                env={**os.environ, **own},
                cwd=ROOT,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                preexec_fn=_before_it_runs if sys.platform == "linux" else None,
            )


def _end(process: subprocess.Popen[bytes]) -> None:
    """Waits until a process that was asked to end has ended, and kills one that does not."""
    try:
        process.wait(STOP_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _before_it_runs() -> None:
    """A member dies with us, and is not ended by what it has yet to learn to understand."""
    signal.signal(signal.SIGUSR1, signal.SIG_IGN)
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
