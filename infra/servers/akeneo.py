"""Akeneo's REST API and its events, by a mock from PyPI: it gets a Python and a database of its own."""

import os
import shutil
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from infra.servers.process import LOOPBACK, ServerUnavailable, answers_on, free_port, running

NAME = "Akeneo's mock"
VERSION = "0.9.0"
PYTHON = ">=3.12"  # what it needs; ours is older
INSTALL_S = 180.0  # where that takes longer, it is no part of a run
_LOCK = Path(__file__).parents[1] / "locks" / "requirements-akeneo.txt"
_PYENV = Path(os.environ.get("PYENV_ROOT", "~/.pyenv")).expanduser()


@contextmanager
def akeneo(folder: Path, cache: Path, database_url: str) -> Iterator[str]:
    """Runs it until the block ends, with an empty PIM; yields where it answers.

    `database_url` is that of any database on a PostgreSQL server. Raises ServerUnavailable.
    """
    python = _installed(cache / f"akeneo-mock-server-{VERSION}")
    port, log = free_port(), folder / "akeneo.log"
    command = [str(python), "-m", "uvicorn", "akeneo_mock_server.app:app", "--host", LOOPBACK, "--port", str(port)]
    around = {**os.environ, "AKENEO_DATABASE_URL": f"{database_url.rpartition('/')[0]}/akeneo"}
    url = f"http://{LOOPBACK}:{port}"
    with running(NAME, command, log, lambda: answers_on(port), around):
        with urllib.request.urlopen(urllib.request.Request(f"{url}/_admin/init_db", method="POST"), timeout=60):
            pass
        yield url


def _installed(folder: Path) -> Path:
    """The Python that has it. Raises ServerUnavailable."""
    if (folder / "bin" / "python").exists():
        return folder / "bin" / "python"
    uv = shutil.which("uv", path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
    if uv is None:
        raise ServerUnavailable(f"{NAME}: no uv found on PATH, which would make a Python {PYTHON} for it")
    fresh = folder.with_name(f"{folder.name}.{os.getpid()}")
    try:
        _run(uv, "venv", "-q", "--relocatable", "--python", PYTHON, str(fresh))
        _run(
            uv, "pip", "install", "-q", "--require-hashes", "--python", str(fresh / "bin" / "python"), "-r", str(_LOCK)
        )
        if not folder.exists():
            os.replace(fresh, folder)
    finally:
        shutil.rmtree(fresh, ignore_errors=True)
    return folder / "bin" / "python"


def _run(*command: str) -> None:
    """A step of uv's, which looks among pyenv's Pythons, too: their names on PATH are those of one version alone."""
    pythons = [str(each) for each in sorted(_PYENV.glob("versions/*/bin"), reverse=True)]
    around = {**os.environ, "PATH": os.pathsep.join([*pythons, os.environ["PATH"]])}
    try:
        done = subprocess.run(command, env=around, capture_output=True, text=True, timeout=INSTALL_S, check=False)
    except subprocess.TimeoutExpired as error:
        raise ServerUnavailable(f"{NAME}: uv was not done after {INSTALL_S:.0f} s") from error
    if done.returncode != 0:
        raise ServerUnavailable(f"{NAME}: uv ended with {done.returncode}: {done.stderr.strip()[-500:]}")
