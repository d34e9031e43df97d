"""The API of a running system: its README's quick start as it stands there, and files that no caller may name."""

import io
import json
import re
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from tests.e2e.asking import api, made, photo_of, wait_until_ready
from tests.e2e.system import ROOT, System, running

PHOTOGRAPHS = ROOT / "loadtest" / "rendering" / "catalogue" / "photographs"


@pytest.fixture(scope="module")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    folder = tmp_path_factory.mktemp("gateway")
    around = {"PACKSHOT_EMBEDDED_BROKER": "memory", "PACKSHOT_SOURCE_FILE_ROOTS": str(PHOTOGRAPHS)}
    with running(folder, around) as started:
        yield started


def test_the_quick_start_works_as_it_stands(system: System) -> None:
    (script,) = re.findall(r"```sh\n(.*?)```", (ROOT / "streams" / "api" / "README.md").read_text(), re.DOTALL)
    wait_until_ready(system)
    path = f"{Path(sys.executable).parent}:{system.environment['PATH']}"
    around = {**system.environment, "API": api(system), "PATH": path}
    shell = ["bash", "-euo", "pipefail", "-c", script]
    done = subprocess.run(shell, env=around, cwd=ROOT, capture_output=True, text=True, timeout=900, check=False)
    assert done.returncode == 0, done.stdout + done.stderr[-3000:] + system.log()
    view = json.loads(done.stdout[done.stdout.index('{"tenant"') :])
    states = {each["asset"]: each["state"] for each in view["assets"]}
    assert states.keys() == {"amazon-1", "web-1"}
    assert set(states.values()) <= {"published", "review"}
    for each in view["assets"]:
        if each["state"] == "published":
            assert each["disclosure"]["models"]
            with urllib.request.urlopen(each["url"], timeout=30) as answer:
                assert answer.status == 200


def test_what_lies_elsewhere_on_the_machine_is_nobodys_source(system: System) -> None:
    wait_until_ready(system)
    key = system.json("keys", "create", "other", "--tenant", "other")["key"]
    body = {"sources": [{"uri": "file:///etc/hostname"}], "channels": ["web"]}
    answer = call(f"{api(system)}/v1/products/X", key, body)
    assert answer["code"] == "source_not_allowed"
    (known,) = [each for each in system.json("keys", "list") if each["name"] == "other"]
    assert "digest" not in known
    system.run("keys", "revoke", known["key_id"])
    assert call(f"{api(system)}/v1/products/X", key, {})["code"] == "key_unknown"


def test_a_cutout_and_a_packshot_come_back_to_who_asked(system: System, tmp_path: Path) -> None:
    wait_until_ready(system)
    key = system.json("keys", "create", "pictures", "--tenant", "demo")["key"]
    photo = photo_of(tmp_path, 60)
    headers, body = made(system, key, "/v1/cutouts", photo)
    assert (headers["Content-Type"], Image.open(io.BytesIO(body)).mode) == ("image/png", "RGBA")
    _, view = made(system, key, "/v1/packshots?channel=amazon", photo, "application/json")
    assert json.loads(view)["verdict"]["rules"]
    assert json.loads(view)["measures"]["background_exact_share"] > 0.9


def call(url: str, key: str, body: object) -> Any:
    headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
    request = urllib.request.Request(url, json.dumps(body).encode(), headers, method="PUT")
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            return json.load(answer)
    except urllib.error.HTTPError as error:
        return json.load(error)
