"""PostgreSQL from the machine's own package, on a data folder of its own."""

import os
import pwd
import shutil
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from infra.servers.process import LOOPBACK, ServerUnavailable, free_port, run, running

NAME = "PostgreSQL"
_USER = "packshot"
_WITHOUT_WAITING_FOR_CLIENTS = signal.SIGINT
_DEBIAN = Path("/usr/lib/postgresql")


@contextmanager
def postgres(folder: Path, port: int | None = None) -> Iterator[str]:
    """Run PostgreSQL in `folder` until the block ends; yields `postgresql://…` of a database, empty at first.

    It listens on `port` of loopback or on a free one; what was in `folder` is there again at the next start.
    Raises ServerUnavailable. It does not run as root: it then runs as the user `postgres`, who is given `folder`
    and must be able to reach it (pytest's own temporary folders are closed to other users).
    """
    binaries = _binaries()
    data = folder / "data"
    as_user = _unprivileged(folder)
    if not (data / "PG_VERSION").exists():
        _initialise(binaries, data, as_user)
    port = port or free_port()
    command = [
        *as_user, str(binaries / "postgres"), "-D", str(data), "-h", LOOPBACK, "-p", str(port),
        "-c", "unix_socket_directories=", "-c", "max_connections=200",
    ]  # fmt: skip
    probe = [str(binaries / "pg_isready"), "-q", "-h", LOOPBACK, "-p", str(port), "-U", _USER, "-d", "postgres"]
    log = folder / "postgres.log"
    with running(NAME, command, log, lambda: _succeeds(probe), stop_signal=_WITHOUT_WAITING_FOR_CLIENTS):
        yield f"postgresql://{_USER}@{LOOPBACK}:{port}/postgres"


def _binaries() -> Path:
    """The folder that holds initdb and postgres: on PATH, else the newest of Debian's."""
    if found := shutil.which("initdb"):
        return Path(found).resolve().parent
    versions = sorted(_DEBIAN.glob("*/bin/initdb"), key=lambda path: int(path.parts[-3]))
    if not versions:
        raise ServerUnavailable(f"{NAME}: initdb not found on PATH or under {_DEBIAN} (Debian: apt install postgresql)")
    return versions[-1].parent


def _unprivileged(folder: Path) -> list[str]:
    """The prefix of a command that runs as an ordinary user who owns `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    if os.getuid() != 0:
        return []
    try:
        user = pwd.getpwnam("postgres")
    except KeyError:
        raise ServerUnavailable(f"{NAME}: does not run as root, and there is no user postgres to run it as") from None
    os.chown(folder, user.pw_uid, user.pw_gid)
    as_user = ["setpriv", f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--clear-groups", "--"]
    run(NAME, [*as_user, "test", "-w", str(folder.absolute())])
    return as_user


def _initialise(binaries: Path, data: Path, as_user: list[str]) -> None:
    options = ["--username", _USER, "--auth", "trust", "--encoding", "UTF8", "--locale", "C.UTF-8"]
    run(NAME, [*as_user, str(binaries / "initdb"), "-D", str(data), *options])


def _succeeds(command: list[str]) -> bool:
    return subprocess.run(command, check=False).returncode == 0
