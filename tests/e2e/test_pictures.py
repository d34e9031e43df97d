"""One picture, now, of a running system: through HTTP, Kafka and a real worker, and past one that is killed."""

import io
import json
import os
import signal
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from tests.e2e.system import System, draw_product, running
from tests.e2e.test_gateway import api, wait_until_ready


@pytest.fixture(scope="module")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    folder = tmp_path_factory.mktemp("pictures")
    with running(folder, {"PACKSHOT_EMBEDDED_BROKER": "memory"}) as started:
        yield started


@pytest.fixture(scope="module")
def key(system: System) -> str:
    wait_until_ready(system)
    told: str = system.json("keys", "create", "shop", "--tenant", "demo")["key"]
    return told


def post(
    system: System, key: str, what: str, photo: bytes, accept: str = "*/*", wait_s: int = 60
) -> tuple[int, Any, bytes]:
    headers = {
        "Authorization": f"Bearer {key}",
        "Content-Type": "image/png",
        "Prefer": f"wait={wait_s}",
        "Accept": accept,
    }
    request = urllib.request.Request(f"{api(system)}{what}", photo, {**headers, "Cancel-After": "600"})
    try:
        with urllib.request.urlopen(request, timeout=120) as answer:
            return answer.status, answer.headers, answer.read()
    except urllib.error.HTTPError as error:
        return error.code, error.headers, error.read()


def made(system: System, key: str, what: str, photo: bytes, accept: str = "*/*") -> tuple[Any, bytes]:
    """What is answered in the end: the same again asks for the same job."""
    status, headers, body = 202, None, b""
    while status == 202:
        status, headers, body = post(system, key, what, photo, accept)
    assert status == 200, body
    return headers, body


def photo_of(folder: Path, red: int) -> bytes:
    draw_product(folder / "photo.png", (red, 110, 90))
    return (folder / "photo.png").read_bytes()


def worker(system: System) -> int:
    """The process of the cutout worker."""
    assert system.process is not None
    for each in Path("/proc").glob("[0-9]*/cmdline"):
        words = each.read_bytes().split(b"\0")
        parent = (each.parent / "stat").read_text().rpartition(")")[2].split()[1]
        if int(parent) == system.process.pid and b"worker" in words and b"cutout" in words:
            return int(each.parent.name)
    raise AssertionError("no worker runs")


def test_a_cutout_and_a_packshot_come_back_to_who_asked(system: System, key: str, tmp_path: Path) -> None:
    photo = photo_of(tmp_path, 60)
    headers, body = made(system, key, "/v1/cutouts", photo)
    assert (headers["Content-Type"], Image.open(io.BytesIO(body)).mode) == ("image/png", "RGBA")
    _, told = made(system, key, "/v1/packshots?channel=amazon", photo, "application/json")
    assert json.loads(told)["verdict"]["rules"]
    assert json.loads(told)["measures"]["background_exact_share"] > 0.9


def test_a_worker_that_is_killed_at_work_reads_the_task_again(system: System, key: str, tmp_path: Path) -> None:
    photo, killed = photo_of(tmp_path, 90), worker(system)
    status, headers, _ = post(system, key, "/v1/cutouts", photo, wait_s=0)
    assert (status, "/v1/jobs/" in headers["Location"]) == (202, True)
    os.kill(killed, signal.SIGKILL)
    _, answer = made(system, key, "/v1/cutouts", photo)
    assert Image.open(io.BytesIO(answer)).size == (600, 800)
    assert worker(system) != killed
