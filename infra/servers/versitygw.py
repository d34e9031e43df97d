"""VersityGW: an S3 server with conditional writes over a folder."""

import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from infra.servers.process import LOOPBACK, ServerUnavailable, answers_on, free_port, run, running

NAME = "VersityGW"
VERSION = "v1.8.0"
_MODULE = f"github.com/versity/versitygw/cmd/versitygw@{VERSION}"
_BINARIES = Path(__file__).parents[2] / ".cache" / "bin"


@dataclass(frozen=True)
class S3Server:
    """Where an S3 server answers, the credentials it takes, and a bucket that is there."""

    endpoint: str
    access_key: str
    secret_key: str
    bucket: str


@contextmanager
def versitygw(folder: Path, port: int | None = None) -> Iterator[S3Server]:
    """Run VersityGW over `folder` until the block ends, on `port` or a free one. Raises ServerUnavailable.

    The folder's file system has to keep extended attributes: with sidecar files instead, this version serves the
    headers of an object that was replaced.
    """
    port = port or free_port()
    server = S3Server(f"http://{LOOPBACK}:{port}", "packshot", "packshot-secret", "packshot")
    (folder / "buckets" / server.bucket).mkdir(parents=True, exist_ok=True)
    keys = {"ROOT_ACCESS_KEY": server.access_key, "ROOT_SECRET_KEY": server.secret_key}
    address = f"{LOOPBACK}:{port}"
    command = [str(_binary()), "--port", address, "--quiet", "posix", str(folder / "buckets")]
    with running(NAME, command, folder / "versitygw.log", lambda: answers_on(port), {**os.environ, **keys}):
        yield server


def _binary() -> Path:
    """The server's program: on PATH, where Go puts programs, or built once into the cache."""
    for place in (shutil.which("versitygw"), Path.home() / "go" / "bin" / "versitygw"):
        if place is not None and Path(place).exists():
            return Path(place)
    _BINARIES.mkdir(parents=True, exist_ok=True)
    with (_BINARIES / "build.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # nobody is to start it while another one still writes it
        return _built()


def _built() -> Path:
    built = _BINARIES / "versitygw"
    if not built.exists():
        go = shutil.which("go")
        if go is None:
            raise ServerUnavailable(f"{NAME}: neither versitygw nor go (to build it) found on PATH")
        run(NAME, [go, "install", _MODULE], {**os.environ, "GOBIN": str(_BINARIES)})
    return built
