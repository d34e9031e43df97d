"""A broker as a child process: a port that stays, a stop that is clean, an end with its parent."""

import ctypes
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

LOOPBACK = "127.0.0.1"
START_TIMEOUT_S = 420.0
STOP_TIMEOUT_S = 30.0
_POLL_S = 0.1
_LOG_TAIL_BYTES = 2000
_PR_SET_PDEATHSIG = 1


class BrokerUnavailable(Exception):
    """No broker can be started; the message says why, or what to install."""


class BrokerProcess:
    """The child process of a broker whose data, log, ports and process id lie in `folder`.

    The command line has to hold the folder's absolute path: by that a process is known for a broker of this folder.
    """

    def __init__(self, name: str, folder: Path) -> None:
        self.name = name
        self.folder = folder.absolute()
        self.log = self.folder / "broker.log"
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int | None:
        """The process id while the broker runs."""
        running = self._process is not None and self._process.poll() is None
        return self._process.pid if running and self._process else None

    def ports(self, count: int) -> list[int]:
        """The broker's ports on loopback: those of its last start unless one of them is taken now."""
        memory = self.folder / "ports.json"
        ports: list[int] = json.loads(memory.read_text()) if memory.exists() else []
        if len(ports) != count or not all(_is_free(port) for port in ports):
            ports = _free_ports(count)
            memory.write_text(json.dumps(ports))
        return ports

    def stop_left_over(self) -> None:
        """Stop the broker that a killed parent may have left running on this folder."""
        try:
            pid = int(self._pid_file.read_text())
        except (FileNotFoundError, ValueError):
            return
        if self._is_ours(pid):
            _end(pid, lambda: not self._is_ours(pid))
        self._pid_file.unlink()

    def start(self, command: Sequence[str], bootstrap_servers: str) -> None:
        """Run `command` until `stop`; returns when the broker answers. Raises BrokerUnavailable."""
        with self.log.open("wb") as output:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # Ctrl-C is for the parent, which stops its parts in order
                preexec_fn=end_with_parent if sys.platform == "linux" else None,
            )
        self._pid_file.write_text(str(self._process.pid))
        try:
            self._wait_until_it_answers(bootstrap_servers)
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """Stop the child: asked first, killed when it has not ended after STOP_TIMEOUT_S."""
        process = self._process
        if process is None:
            return
        _end(process.pid, lambda: process.poll() is not None)
        process.wait()
        self._process = None
        self._pid_file.unlink(missing_ok=True)

    @property
    def _pid_file(self) -> Path:
        return self.folder / "broker.pid"

    def _is_ours(self, pid: int) -> bool:
        try:
            command = Path(f"/proc/{pid}/cmdline").read_bytes() if sys.platform == "linux" else _command_of(pid)
        except (FileNotFoundError, ProcessLookupError):
            return False
        return str(self.folder).encode() in command

    def _wait_until_it_answers(self, bootstrap_servers: str) -> None:
        give_up = time.monotonic() + START_TIMEOUT_S
        admin = AdminClient({"bootstrap.servers": bootstrap_servers, "log_level": 0})
        while not _answers(admin):
            if self.pid is None:
                raise BrokerUnavailable(f"{self.name} ended at its start: {self._last_said()}")
            if time.monotonic() > give_up:
                raise BrokerUnavailable(f"{self.name} did not answer in {START_TIMEOUT_S:.0f} s: {self._last_said()}")

    def _last_said(self) -> str:
        """Its last line that is no step of a trace: what a program ends for, it says last."""
        lines = self.log.read_bytes()[-_LOG_TAIL_BYTES:].decode(errors="replace").splitlines()
        last = next((line for line in reversed(lines) if line[:1].strip()), "nothing")
        return f"{last}; its log: {self.log}"


def _answers(admin: AdminClient) -> bool:
    try:
        admin.list_topics(timeout=1)
    except KafkaException:
        return False
    return True


def _end(pid: int, ended: Callable[[], bool]) -> None:
    give_up = time.monotonic() + STOP_TIMEOUT_S
    _signal(pid, signal.SIGTERM)
    while not ended():
        if time.monotonic() > give_up:
            _signal(pid, signal.SIGKILL)
        time.sleep(_POLL_S)


def _signal(pid: int, number: signal.Signals) -> None:
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return


def _command_of(pid: int) -> bytes:
    return subprocess.run(["ps", "-o", "command=", "-p", str(pid)], capture_output=True, check=False).stdout


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
    return True


def _free_ports(count: int) -> list[int]:
    probes = [socket.socket() for _ in range(count)]
    try:
        for probe in probes:
            probe.bind((LOOPBACK, 0))
        return [probe.getsockname()[1] for probe in probes]
    finally:
        for probe in probes:
            probe.close()


_LIBC = ctypes.CDLL(None, use_errno=True)


def end_with_parent() -> None:
    """In the child, before its program: it is asked to end when its parent is gone, even by SIGKILL."""
    _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
