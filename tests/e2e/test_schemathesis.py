"""Schemathesis asks a gateway all that its description allows, and what it does not, one call and then many in a row.

It has a virtual environment of its own, for its plugin makes each start of pytest slow. Pictures are asked for without
waiting, for nobody works on them here; `/v1/events` has an end because of that, too.
"""

import json
import os
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

import pytest

from infra.servers.process import LOOPBACK, free_port, running
from tests.e2e.system import ROOT
from tests.servers import skip_or_fail

pytestmark = [pytest.mark.long, pytest.mark.timeout(1800)]

PROGRAM = ROOT / ".venv-schemathesis" / "bin" / "st"
CLI = (sys.executable, "-m", "streams.commands.cli")
QUOTAS = ("PER_MINUTE", "MEGAPIXELS_PER_MINUTE", "AT_WORK")
STARTS_WITHIN_S = 600.0
ASKS_WITHIN_S = 120  # of each run; it says itself when that was not enough


@pytest.fixture(scope="module")
def environment(memory_bootstrap: str, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    free = {f"PACKSHOT_GATEWAY_{whose}_{what}": "0" for whose in ("KEY", "TENANT") for what in QUOTAS}
    return {
        **os.environ,
        **free,
        "PACKSHOT_KAFKA_BOOTSTRAP_SERVERS": memory_bootstrap,
        "PACKSHOT_DATA_FOLDER": str(tmp_path_factory.mktemp("asked")),
        "PACKSHOT_CACHE_FOLDER": str(ROOT / ".cache"),
        "PACKSHOT_GATEWAY_PORT": str(free_port()),
    }


@pytest.fixture(scope="module")
def api(environment: dict[str, str]) -> Iterator[str]:
    """Where a gateway answers that has what takes products in behind it."""
    if not PROGRAM.exists():
        skip_or_fail(f"{PROGRAM.relative_to(ROOT)} is missing: make .venv-schemathesis/.installed")
    url, folder = f"http://{LOOPBACK}:{environment['PACKSHOT_GATEWAY_PORT']}", Path(environment["PACKSHOT_DATA_FOLDER"])

    def is_ready() -> bool:
        with suppress(OSError), urllib.request.urlopen(f"{url}/readyz", timeout=30):
            return True
        return False

    with ExitStack() as stack:
        for role, ready in (("gateway", is_ready), ("streams", lambda: True)):
            started = running(
                role, [*CLI, "run", role], folder / f"{role}.log", ready, environment, within_s=STARTS_WITHIN_S
            )
            stack.enter_context(started)
        yield url


@pytest.fixture(scope="module")
def key(environment: dict[str, str]) -> str:
    command = [*CLI, "keys", "create", "asked", "--tenant", "demo", "--json"]
    done = subprocess.run(command, env=environment, capture_output=True, check=True)
    return str(json.loads(done.stdout)["key"])


@pytest.mark.parametrize("phase", ["coverage", "fuzzing", "stateful"])
def test_the_api_answers_as_it_says(phase: str, api: str, key: str, tmp_path: Path) -> None:
    report = tmp_path / "report.json"
    config = Path(__file__).with_name("schemathesis.toml")
    phases = ["--phases", phase, "--max-time", str(ASKS_WITHIN_S), "--request-timeout", "60"]
    options = ["-H", f"Authorization: Bearer {key}", "-H", "Prefer: wait=0", "--report-json-path", str(report)]
    how = [
        "--max-examples",
        "3",
        "--generation-deterministic",
        "--suppress-health-check",
        "all",
        "--continue-on-failure",
    ]
    command = [str(PROGRAM), "--config-file", str(config), "run", f"{api}/openapi.json", *phases, *options, *how]
    began_s = time.monotonic()
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, timeout=1200, check=False)
    found: dict[str, Any] = json.loads(report.read_text()) if report.exists() else {}
    assert (done.returncode, found.get("failures"), found.get("errors")) == (0, [], []), done.stdout[-20_000:]
    assert found["operations"]["tested"] == found["operations"]["selected"] or phase == "stateful", found
    assert found["test_cases"]["generated"] > found["operations"]["selected"]
    assert time.monotonic() - began_s < 1200
