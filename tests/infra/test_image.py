"""The image: its file is clean, it is built without a daemon, and every role starts in it as in a pod."""

import json
import os
import shutil
import subprocess
from collections import Counter
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest
import yaml

from infra.containers import image
from infra.servers import S3Server
from infra.servers.process import free_port
from tests.infra.kubelet import Kubelet, Manifest, end
from tests.infra.test_chart import CHART, helm
from tests.servers import skip_or_fail

pytestmark = pytest.mark.infra

ROOT = Path(__file__).parents[2]


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


def test_the_bill_of_materials_has_what_pip_and_dpkg_noted(tmp_path: Path) -> None:
    packages = tmp_path / "opt/packshot/venv/lib/python3.11/site-packages"
    for name, its in (("packshot", "0.2.0"), ("Faust_Streaming", "0.15.3")):
        info = packages / f"{name.lower()}-{its}.dist-info"
        info.mkdir(parents=True)
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {its}\n")
    noted = tmp_path / "var/lib/dpkg/status"
    noted.parent.mkdir(parents=True)
    noted.write_text(
        "Package: libc6\nStatus: install ok installed\nArchitecture: amd64\nVersion: 2.36-9+deb12u13\n\n"
        "Package: gone\nStatus: deinstall ok config-files\nArchitecture: all\nVersion: 1\n"
    )
    made = billed(tmp_path, tmp_path / "bill.json")
    assert made["metadata"]["component"]["purl"] == "pkg:pypi/packshot@0.2.0"
    assert sorted(each["purl"] for each in made["components"]) == [
        "pkg:deb/debian/libc6@2.36-9%2Bdeb12u13?arch=amd64",
        "pkg:pypi/faust-streaming@0.15.3",
    ]


def test_a_folder_that_is_no_image_has_no_bill(tmp_path: Path) -> None:
    with pytest.raises(subprocess.CalledProcessError):
        billed(tmp_path, tmp_path / "bill.json")
    assert not (tmp_path / "bill.json").exists()


def billed(files: Path, file: Path) -> dict[str, Any]:
    try:
        image.write_bill(files, file)
    except image.ImageUnavailable as missing:
        skip_or_fail(str(missing))
    made: dict[str, Any] = json.loads(file.read_text())
    return made


@pytest.fixture(scope="module")
def root() -> Iterator[Path]:
    """The files of the image, built anew where something that it has changed."""
    try:
        image.require(("crun", *image.PROGRAMS))
    except image.ImageUnavailable as missing:
        skip_or_fail(f"the image: {missing}")
    builder().build()
    assert builder().config()["User"] == f"{image.USER}:{image.USER}"
    with builder().mounted() as files:
        yield files


def builder() -> image.Builder:
    return image.Builder(ROOT / ".cache" / "images")


@pytest.fixture(scope="module")
def kubelet(root: Path, postgres_url: str, s3_server: S3Server) -> Kubelet:
    """A kubelet, with the secrets that the chart asks for."""
    credentials = f"[default]\naws_access_key_id={s3_server.access_key}\naws_secret_access_key={s3_server.secret_key}\n"
    secrets = {"packshot-database": {"url": f"{postgres_url}\n"}, "packshot-s3": {"credentials": credentials}}
    return Kubelet(root, builder().config(), secrets)


@pytest.fixture
def pods(fresh_bootstrap: str, s3_server: S3Server) -> dict[str, Manifest]:
    """The pods of the chart's laptop-sized example, with this test's servers."""
    own = {
        "kafka.bootstrapServers": fresh_bootstrap,
        "storage.endpoint": s3_server.endpoint,
        "storage.blobs": f"s3://{s3_server.bucket}/blobs",
        "storage.origin": f"s3://{s3_server.bucket}/origin",
        "metrics.port": str(free_port()),
        "settings.PACKSHOT_GATEWAY_KEY_PER_MINUTE": "10",
    }
    said = [word for name, value in own.items() for word in ("--set", f"{name}={value}")]
    done = helm("template", "shop", str(CHART), "--values", str(CHART / "examples" / "laptop.yaml"), *said)
    assert done.returncode == 0, done.stderr
    made = [each for each in yaml.safe_load_all(done.stdout) if each and each["kind"] in ("Deployment", "Job")]
    return {each["metadata"]["name"]: each["spec"]["template"]["spec"] for each in made}


@pytest.mark.heavy
def test_nobody_is_root_and_nothing_but_volumes_can_be_written_to(root: Path, tmp_path: Path) -> None:
    script = "id -u; touch /x 2>&1; touch /opt/packshot/x 2>&1; touch /tmp/x && echo written; packshot --version"
    mounts = [image.Mount("/tmp", image.volume(tmp_path / "tmp"))]
    environment = {"PATH": "/opt/packshot/venv/bin:/usr/bin:/bin", "HOME": "/tmp"}
    made = image.bundle(tmp_path / "a", root, ["sh", "-c", script], environment, mounts)
    said = subprocess.run(image.run_command(made), capture_output=True, text=True, check=True).stdout.splitlines()
    assert said[0] == "10001"
    assert [line for line in said if "Read-only file system" in line] == said[1:3]
    assert said[3:] == ["written", f"packshot, version {version('packshot')}"]


@pytest.mark.heavy
def test_the_bill_of_the_image_has_all_that_the_lock_pins_for_it(root: Path, tmp_path: Path) -> None:
    made = billed(root, tmp_path / "bill.json")
    kinds = Counter(each["purl"].partition("/")[0] for each in made["components"])
    assert made["metadata"]["component"]["name"] == "packshot"
    assert set(kinds) == {"pkg:deb", "pkg:pypi"}
    assert {"libc6", "numpy", "confluent-kafka"} <= {each["name"] for each in made["components"]}


@pytest.mark.heavy
def test_every_pod_of_the_chart_is_ready_by_its_own_probes_and_ends_by_a_signal(
    kubelet: Kubelet, pods: dict[str, Manifest], tmp_path: Path
) -> None:
    kubelet.to_its_end(pods.pop("shop-provision"), tmp_path / "provision")
    ended = {}
    for name, pod in pods.items():
        with kubelet.running(pod, tmp_path / name) as process:
            ended[name] = end(process)
    assert ended == dict.fromkeys(pods, 0)
    assert {f"shop-{role}" for role in ("streams", "publisher", "retrier", "gateway", "worker-cutout")} <= set(ended)
