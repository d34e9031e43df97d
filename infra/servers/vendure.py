"""Vendure: a shop from npm, with SQLite in memory, its assets in a folder, and Packshot's plugin."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from infra.servers.process import LOOPBACK, ServerUnavailable, free_port, running

NAME = "Vendure"
VERSION = "3.7.3"
START_S = 900.0  # it takes 20 s of a core, of which a busy machine has little
INSTALL_S = 180.0  # 430 packages, 200 MB; where that takes longer, it is no part of a run
_HERE = Path(__file__).parent
_PLUGIN = _HERE.parent / "examples" / "vendure-plugin.cjs"
_PACKAGES = (f"@vendure/core@{VERSION}", f"@vendure/asset-server-plugin@{VERSION}", "sql.js@1")
_QUIET = ("--no-audit", "--no-fund", "--no-package-lock", "--ignore-scripts", "--loglevel=error")


@dataclass(frozen=True)
class VendureShop:
    """Where its Admin API answers, and the administrator's name and password."""

    admin_api: str
    username: str = "superadmin"
    password: str = "superadmin"


@contextmanager
def vendure(folder: Path, cache: Path, hook: str = "-", secret: str = "-") -> Iterator[VendureShop]:
    """Runs a shop until the block ends, whose plugin posts to `hook`. Raises ServerUnavailable."""
    node = shutil.which("node")
    if node is None:
        raise ServerUnavailable(f"{NAME}: no node found on PATH")
    modules, port, log = installed(cache), free_port(), folder / "vendure.log"
    command = [node, str(_HERE / "vendure.cjs"), str(port), str(folder), hook, secret, str(_PLUGIN)]
    around = {**os.environ, "NODE_PATH": str(modules)}
    with running(NAME, command, log, lambda: "READY" in log.read_text(errors="replace"), around, within_s=START_S):
        yield VendureShop(f"http://{LOOPBACK}:{port}/admin-api")


def installed(cache: Path) -> Path:
    """Where the packages lie, installed once into the cache. Raises ServerUnavailable."""
    folder = cache / f"vendure-{VERSION}"
    if (folder / "node_modules").exists():
        return folder / "node_modules"
    npm = shutil.which("npm")
    if npm is None:
        raise ServerUnavailable(f"{NAME}: no npm found on PATH")
    fresh = folder.with_name(f"{folder.name}.{os.getpid()}")
    fresh.mkdir(parents=True)
    (fresh / "package.json").write_text('{"private": true}')
    try:
        done = subprocess.run(
            [npm, "install", *_QUIET, *_PACKAGES],
            cwd=fresh,
            capture_output=True,
            text=True,
            timeout=INSTALL_S,
            check=False,
        )
        if done.returncode != 0:
            raise ServerUnavailable(f"{NAME}: npm ended with {done.returncode}: {done.stderr[-1000:]}")
        if not folder.exists():
            os.replace(fresh, folder)
    except subprocess.TimeoutExpired as error:
        raise ServerUnavailable(f"{NAME}: npm was not done after {INSTALL_S:.0f} s") from error
    finally:
        shutil.rmtree(fresh, ignore_errors=True)
    return folder / "node_modules"
