"""The image: its file is clean, it is built without a daemon, and every role starts in it as in a pod."""

import os
import shutil
import subprocess
import time
import urllib.error
import urllib.request
from pathlib import Path
from uuid import uuid4

import pytest

from infra.containers import image
from infra.servers.process import LOOPBACK, free_port
from tests.servers import skip_or_fail

ROOT = Path(__file__).parents[2]
WITHIN_S = 300.0


def test_every_base_can_be_named_by_digest_and_every_stage_of_ours_has_a_user() -> None:
    text = image.FILE.read_text()
    froms = [line.split()[1] for line in text.splitlines() if line.startswith("FROM ")]
    assert froms == ["${PYTHON}", "${CUDA_DEVEL}", "${CUDA_BASE}", "${PYTHON}"]
    assert f"ARG PYTHON={image.BASE}\n" in text
    for target in text.split("FROM ")[3:]:
        assert f"USER {image.USER}:{image.USER}" in target
        assert 'ENTRYPOINT ["packshot"]' in target


def test_what_is_copied_is_there_and_may_be_read_by_a_build() -> None:
    ignore = image.FILE.with_name("Containerfile.dockerignore").read_text()
    for line in image.FILE.read_text().splitlines():
        if line.startswith("COPY ") and "--from" not in line:
            for name in line.split()[1:-1]:
                assert (ROOT / name).exists(), name
                assert any(name.startswith(each[1:]) for each in ignore.splitlines() if each.startswith("!")), name


def test_hadolint_finds_nothing() -> None:
    hadolint = shutil.which("hadolint", path=f"{ROOT}/.venv-infra/bin:{os.environ['PATH']}")
    if hadolint is None:
        skip_or_fail("hadolint: make .venv-infra/.installed")
    done = subprocess.run([hadolint, str(image.FILE)], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "")


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The files of the image, built anew where something that it has changed."""
    try:
        image.require(("crun", *image.PROGRAMS))
    except image.ImageUnavailable as missing:
        skip_or_fail(f"the image: {missing}")
    builder = image.Builder(ROOT / ".cache" / "images")
    builder.build()
    config = builder.config()
    assert config["User"] == "10001:10001"
    return builder.unpack(tmp_path_factory.mktemp("image") / "root")


def run(root: Path, folder: Path, arguments: list[str], **more: str) -> "subprocess.Popen[str]":
    environment = {
        "PATH": "/opt/packshot/venv/bin:/usr/bin:/bin",
        "HOME": "/tmp",
        "PYTHONDONTWRITEBYTECODE": "1",
        "NUMBA_CACHE_DIR": "/var/cache/packshot/numba",
        "PACKSHOT_CACHE_FOLDER": "/var/cache/packshot",
        "PACKSHOT_DATA_FOLDER": "/var/lib/packshot/data",
        **more,
    }
    bundle = image.bundle(folder, root, arguments, environment)
    command = ["crun", "--cgroup-manager=disabled", "run", "--bundle", str(bundle), f"packshot-{uuid4().hex[:8]}"]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


@pytest.mark.heavy
def test_nobody_is_root_and_nothing_but_volumes_can_be_written_to(root: Path, tmp_path: Path) -> None:
    script = "id -u; touch /x 2>&1; touch /opt/packshot/x 2>&1; touch /tmp/x && echo written; packshot --version"
    said = run(root, tmp_path / "a", ["sh", "-c", script]).communicate(timeout=WITHIN_S)[0].splitlines()
    assert said[0] == "10001"
    assert [line for line in said if "Read-only file system" in line] == said[1:3]
    assert said[3:] == ["written", "packshot, version 0.1.0"]


@pytest.mark.heavy
@pytest.mark.parametrize("arguments", [["retrier"], ["publisher"], ["streams"], ["worker", "--pool", "compose"]])
def test_a_role_becomes_ready_in_it_and_ends_when_told(
    root: Path, tmp_path: Path, memory_bootstrap: str, arguments: list[str]
) -> None:
    port = free_port()
    told = {
        "PACKSHOT_KAFKA_BOOTSTRAP_SERVERS": memory_bootstrap,
        "PACKSHOT_METRICS_PORT": str(port),
        "PACKSHOT_METRICS_HOST": LOOPBACK,
    }
    role = run(root, tmp_path / "b", ["packshot", "run", *arguments], **told)
    try:
        wait_until_ready(role, port)
        os.kill(children(role.pid)[0], 15)
        assert role.wait(WITHIN_S) == 0
    finally:
        role.kill()
        role.communicate()


def wait_until_ready(role: "subprocess.Popen[str]", port: int) -> None:
    give_up_at = time.monotonic() + WITHIN_S
    while True:
        assert role.poll() is None, role.communicate()[0]
        assert time.monotonic() < give_up_at
        try:
            with urllib.request.urlopen(f"http://{LOOPBACK}:{port}/readyz", timeout=10):
                return
        except (OSError, urllib.error.HTTPError):
            time.sleep(0.2)


def children(pid: int) -> list[int]:
    """The processes that a process has started."""
    return [int(each) for each in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
