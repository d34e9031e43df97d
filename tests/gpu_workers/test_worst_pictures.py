"""A worker of 4 GB answers the worst pictures, all at once, within its memory; and so does one of 3 GB."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.gpu_workers.worst_pictures import PICTURES, SHORT

ROOT = Path(__file__).parents[2]
ANSWERS = {"done", "no_subject", "source_too_many_pixels", "source_corrupt", "source_truncated", "source_not_read"}


def answered(folder: Path, memory_mb: int, names: tuple[str, ...]) -> dict[str, str]:
    for name in names:
        (folder / name).write_bytes(PICTURES[name]())
    command = [sys.executable, "-m", "tests.gpu_workers.worst_pictures", str(folder), str(memory_mb), *names]
    done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True, env=os.environ)
    view = json.loads(done.stdout.splitlines()[-1])
    assert view["peak_mb"] < memory_mb
    assert view["ends"].keys() == set(names)
    assert set(view["ends"].values()) <= ANSWERS, view
    return dict(view["ends"])


@pytest.mark.long
def test_large_and_strange_pictures_are_answered_within_3_gb(tmp_path: Path) -> None:
    ends = answered(tmp_path, 3072, SHORT)
    assert ends["jpeg"] == "done"


@pytest.mark.heavy
@pytest.mark.parametrize("memory_mb", [3072, 4096])
def test_the_worst_pictures_at_once_kill_no_worker(tmp_path: Path, memory_mb: int) -> None:
    ends = answered(tmp_path, memory_mb, tuple(PICTURES))
    assert ends["jpeg"] == ends["progressive"] == ends["webp"] == "done"
