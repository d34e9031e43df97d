"""Packages from npm, installed once into the cache."""

import os
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

from infra.servers.process import ServerUnavailable

INSTALL_S = 180.0  # where that takes longer, it is no part of a run
_QUIET = ("--no-audit", "--no-fund", "--no-package-lock", "--ignore-scripts", "--loglevel=error")


def node(name: str) -> str:
    """Where Node is. Raises ServerUnavailable."""
    found = shutil.which("node")
    if found is None:
        raise ServerUnavailable(f"{name}: no node found on PATH")
    return found


def installed(name: str, folder: Path, packages: Sequence[str]) -> Path:
    """Where packages lie, installed unless they are in the folder. Raises ServerUnavailable."""
    if (folder / "node_modules").exists():
        return folder / "node_modules"
    npm = shutil.which("npm")
    if npm is None:
        raise ServerUnavailable(f"{name}: no npm found on PATH")
    fresh = folder.with_name(f"{folder.name}.{os.getpid()}")
    fresh.mkdir(parents=True)
    (fresh / "package.json").write_text('{"private": true}')
    try:
        command = [npm, "install", *_QUIET, *packages]
        done = subprocess.run(command, cwd=fresh, capture_output=True, text=True, timeout=INSTALL_S, check=False)
        if done.returncode != 0:
            raise ServerUnavailable(f"{name}: npm ended with {done.returncode}: {done.stderr[-1000:]}")
        if not folder.exists():
            os.replace(fresh, folder)
    except subprocess.TimeoutExpired as error:
        raise ServerUnavailable(f"{name}: npm was not done after {INSTALL_S:.0f} s") from error
    finally:
        shutil.rmtree(fresh, ignore_errors=True)
    return folder / "node_modules"
