"""What all servers under test have in common: free ports, a start that is waited for, a stop by process id."""

import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

LOOPBACK = "127.0.0.1"
START_TIMEOUT_S = 120.0
STOP_TIMEOUT_S = 30.0
_POLL_S = 0.1
_LOG_TAIL_BYTES = 2000


class ServerUnavailable(Exception):
    """A server cannot be started on this machine; the message names the server and what is missing."""


def free_port() -> int:
    """A TCP port on loopback that nothing listens on now."""
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        port: int = probe.getsockname()[1]
        return port


def answers_on(port: int) -> bool:
    """Whether something accepts connections on this loopback port."""
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex((LOOPBACK, port)) == 0


@contextmanager
def running(
    name: str,
    command: Sequence[str],
    log: Path,
    ready: Callable[[], bool],
    environment: Mapping[str, str] | None = None,
    stop_signal: signal.Signals = signal.SIGTERM,
    within_s: float = START_TIMEOUT_S,
) -> Iterator[subprocess.Popen[bytes]]:
    """Run a server until the block ends. Raises ServerUnavailable, with the end of its log, when it does not start."""
    with log.open("ab") as output:
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT, env=environment, cwd=log.parent
        )
    try:
        _wait_until_ready(name, process, log, ready, within_s)
        yield process
    finally:
        stop(process, stop_signal)


def stop(process: subprocess.Popen[bytes], stop_signal: signal.Signals = signal.SIGTERM) -> None:
    """Ask the process to end, and end it when it does not within STOP_TIMEOUT_S."""
    process.send_signal(stop_signal)
    try:
        process.wait(STOP_TIMEOUT_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def run(name: str, command: Sequence[str], environment: Mapping[str, str] | None = None) -> None:
    """Run a server's own tool to its end. Raises ServerUnavailable with what it said when it fails."""
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment, cwd="/")
    if done.returncode != 0:
        printed = (done.stdout + done.stderr)[-_LOG_TAIL_BYTES:]
        raise ServerUnavailable(f"{name}: {Path(command[0]).name} failed with {done.returncode}: {printed}")


def _wait_until_ready(
    name: str, process: subprocess.Popen[bytes], log: Path, ready: Callable[[], bool], within_s: float
) -> None:
    give_up = time.monotonic() + within_s
    while not ready():
        if process.poll() is not None:
            raise ServerUnavailable(f"{name}: ended with {process.returncode} at its start: {_tail(log)}")
        if time.monotonic() > give_up:
            raise ServerUnavailable(f"{name}: not ready after {within_s:.0f} s: {_tail(log)}")
        time.sleep(_POLL_S)


def _tail(log: Path) -> str:
    return log.read_bytes()[-_LOG_TAIL_BYTES:].decode(errors="replace")
