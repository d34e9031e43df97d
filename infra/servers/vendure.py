"""Vendure: a shop from npm, with SQLite in memory, its assets in a folder, and Packshot's plugin."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from infra.servers import npm
from infra.servers.process import LOOPBACK, free_port, running

NAME = "Vendure"
VERSION = "3.7.3"
START_S = 900.0  # it takes 20 s of a core, of which a busy machine has little
_HERE = Path(__file__).parent
_PLUGIN = _HERE.parent / "examples" / "vendure-plugin.cjs"
_PACKAGES = (f"@vendure/core@{VERSION}", f"@vendure/asset-server-plugin@{VERSION}", "sql.js@1")


@dataclass(frozen=True)
class VendureShop:
    """Where its Admin API answers, and the administrator's name and password."""

    admin_api: str
    username: str = "superadmin"
    password: str = "superadmin"


@contextmanager
def vendure(folder: Path, cache: Path, hook: str = "-", secret: str = "-") -> Iterator[VendureShop]:
    """Runs a shop until the block ends, whose plugin posts to `hook`. Raises ServerUnavailable."""
    modules = npm.installed(NAME, cache / f"vendure-{VERSION}", _PACKAGES)  # 430 packages, 200 MB
    port, log = free_port(), folder / "vendure.log"
    command = [npm.node(NAME), str(_HERE / "vendure.cjs"), str(port), str(folder), hook, secret, str(_PLUGIN)]
    around = {**os.environ, "NODE_PATH": str(modules)}
    with running(NAME, command, log, lambda: "READY" in log.read_text(errors="replace"), around, within_s=START_S):
        yield VendureShop(f"http://{LOOPBACK}:{port}/admin-api")
