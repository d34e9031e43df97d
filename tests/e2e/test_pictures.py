"""One picture, now, of a running system: through HTTP, Kafka and a real worker, and past parts that are killed."""

import http.client
import io
import json
import os
import signal
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil
import pytest
from PIL import Image

from tests.e2e.asking import made, photo_of, post, wait_until_ready
from tests.e2e.system import System, running

pytestmark = pytest.mark.long  # of the same in a system that nobody kills: test_system
SOON_S = 300


@pytest.fixture(scope="module")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    folder = tmp_path_factory.mktemp("pictures")
    around = {"PACKSHOT_EMBEDDED_BROKER": "kafka", "PACKSHOT_KAFKA_SESSION_TIMEOUT_MS": "6000"}
    with running(folder, around) as started:
        yield started


@pytest.fixture(scope="module")
def key(system: System) -> str:
    wait_until_ready(system)
    view: str = system.json("keys", "create", "shop", "--tenant", "demo")["key"]
    return view


def role(system: System, *words: str) -> int:
    """The process of a role."""
    assert system.process is not None
    for child in psutil.Process(system.process.pid).children():
        if set(words) <= set(child.cmdline()):
            return int(child.pid)
    raise AssertionError(f"no {' '.join(words)} runs")


def made_anew(system: System, job_id: str) -> list[bool]:
    """For each time that workers ended a task of a job, whether they had to make its picture."""
    lines = (line for file in (system.folder / "data" / "logs").glob("*.log") for line in file.read_text().splitlines())
    view = [json.loads(line) for line in lines if '"task ended"' in line and job_id in line]
    return [not each["cached"] for each in view if each["outcome"] == "done"]


def test_a_worker_that_is_killed_at_work_reads_the_task_again(system: System, key: str, tmp_path: Path) -> None:
    photo, killed = photo_of(tmp_path, 90), role(system, "worker", "cutout")
    status, headers, _ = post(system, key, "/v1/cutouts", photo, wait_s=0)
    assert (status, "/v1/jobs/" in headers["Location"]) == (202, True)
    os.kill(killed, signal.SIGKILL)
    _, answer = made(system, key, "/v1/cutouts", photo)
    assert Image.open(io.BytesIO(answer)).size == (600, 800)
    assert role(system, "worker", "cutout") != killed


def test_a_gateway_that_is_killed_in_a_wait_loses_nothing_and_charges_once(
    system: System, key: str, tmp_path: Path
) -> None:
    photo, killed, at_work = photo_of(tmp_path, 120), role(system, "gateway"), role(system, "worker", "cutout")
    results = system.folder / "data" / "blobs" / "results"
    records = set(results.rglob("*"))
    os.kill(at_work, signal.SIGSTOP)  # so that the wait is long
    try:
        with ThreadPoolExecutor(1) as callers:
            waiting = callers.submit(post, system, key, "/v1/cutouts", photo)
            wait_until(lambda: set(results.rglob("*")) > records)  # the photograph is noted, so its task is on its way
            os.kill(killed, signal.SIGKILL)
            with pytest.raises((urllib.error.URLError, ConnectionError, http.client.HTTPException)):
                waiting.result(SOON_S)
    finally:
        os.kill(at_work, signal.SIGCONT)
    wait_until_ready(system)
    assert role(system, "gateway") != killed
    headers, body = made(system, key, "/v1/cutouts", photo)
    again, same = made(system, key, "/v1/cutouts", photo)
    assert (body, again["x-packshot-cost-nanos"]) == (same, "0")
    assert sum(made_anew(system, headers["Content-Location"].rpartition("/")[2])) == 1


def test_a_job_whose_gateway_is_killed_is_found_at_its_url(system: System, key: str, tmp_path: Path) -> None:
    photo, at_work = photo_of(tmp_path, 150), role(system, "worker", "cutout")
    os.kill(at_work, signal.SIGSTOP)
    try:
        status, headers, _ = post(system, key, "/v1/cutouts", photo, wait_s=0)
        os.kill(role(system, "gateway"), signal.SIGKILL)
    finally:
        os.kill(at_work, signal.SIGCONT)
    assert status == 202
    wait_until_ready(system)
    request = urllib.request.Request(headers["Location"], headers={"Authorization": f"Bearer {key}"})

    def answer() -> int:
        with urllib.request.urlopen(request, timeout=120) as found:
            return int(found.status)

    wait_until(lambda: answer() == 200)
    assert sum(made_anew(system, headers["Location"].rpartition("/")[2])) == 1


def test_the_audit_finds_nothing_wrong_after_all_that(system: System) -> None:
    view = system.json("audit")
    assert view["findings"] == []


def wait_until(holds: Callable[[], bool]) -> None:
    give_up_s = time.monotonic() + SOON_S
    while not holds():
        assert time.monotonic() < give_up_s
        time.sleep(0.1)
