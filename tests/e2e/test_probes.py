"""Every role as a cluster runs it: watched by its probes, with topics that another makes, ended by SIGTERM."""

import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from infra.servers.process import LOOPBACK, free_port
from streams.runtime.health import STARTING
from streams.runtime.supervisor import ROLES

pytestmark = pytest.mark.long
CLI = (sys.executable, "-m", "streams.commands.cli")
ROOT = Path(__file__).parents[2]
WITHIN_S = 400.0
ENDS_WITHIN_S = 120.0
NEEDS_NOTHING_MADE = ("cdn",)


class Role:
    """A role's process, and the port of its probes."""

    def __init__(self, arguments: tuple[str, ...], environment: dict[str, str], folder: Path) -> None:
        self.name = "-".join(part for part in arguments if not part.startswith("--"))
        self.log = folder / f"{self.name}.log"
        self.port = free_port()
        variables = {**environment, "PACKSHOT_METRICS_PORT": str(self.port), "PACKSHOT_METRICS_HOST": LOOPBACK}
        with self.log.open("wb") as output:
            command = [*CLI, "run", *arguments]
            self.process = subprocess.Popen(command, env=variables, stdout=output, stderr=output)

    def ask(self, path: str) -> tuple[int, str]:
        """The status and text of a probe; 0 while nobody listens."""
        assert self.process.poll() is None, self.log.read_text()
        try:
            with urllib.request.urlopen(f"http://{LOOPBACK}:{self.port}{path}", timeout=30) as answer:
                return answer.status, answer.read().decode().strip()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read().decode().strip()
        except OSError:
            return 0, ""


@pytest.fixture
def environment(fresh_bootstrap: str, tmp_path: Path) -> dict[str, str]:
    return {
        **os.environ,
        "PACKSHOT_KAFKA_BOOTSTRAP_SERVERS": fresh_bootstrap,
        "PACKSHOT_DATA_FOLDER": str(tmp_path / "data"),
        "PACKSHOT_CACHE_FOLDER": str(ROOT / ".cache"),
        "PACKSHOT_PROVISIONING": "command",
        "PACKSHOT_GATEWAY_PORT": str(free_port()),
        "PACKSHOT_CDN_PORT": str(free_port()),
        "PACKSHOT_DRAIN_S": "20",
        "OMP_NUM_THREADS": "1",
    }


@pytest.fixture
def roles(environment: dict[str, str], tmp_path: Path) -> Iterator[list[Role]]:
    with ExitStack() as stack:
        started = []
        for arguments in ROLES:
            started.append(Role(arguments, environment, tmp_path))
            stack.callback(started[-1].process.wait)
            stack.callback(started[-1].process.kill)
        yield started


def until(holds: Callable[[], bool], say: Callable[[], object]) -> None:
    give_up_at = time.monotonic() + WITHIN_S
    while not holds():
        assert time.monotonic() < give_up_at, say()
        time.sleep(0.2)


def test_roles_wait_to_be_provisioned_are_ready_then_and_end_by_a_signal(
    roles: list[Role], environment: dict[str, str]
) -> None:
    until(lambda: all(role.ask("/livez")[0] == 200 for role in roles), lambda: [role.ask("/livez") for role in roles])
    for role in roles:
        if role.name not in NEEDS_NOTHING_MADE:
            assert role.ask("/startupz") == (503, STARTING), role.name
            assert role.ask("/readyz") == (503, STARTING), role.name
    for _ in range(2):  # once more does no more
        done = subprocess.run([*CLI, "provision"], env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
    until(
        lambda: all(role.ask("/readyz")[0] == 200 for role in roles), lambda: {r.name: r.ask("/readyz") for r in roles}
    )
    for role in roles:
        assert role.ask("/startupz") == (200, "ok"), role.name
        assert role.ask("/livez") == (200, "ok"), role.name
        assert "packshot_" in role.ask("/metrics")[1] or role.name == "cdn"
        role.process.send_signal(signal.SIGTERM)
    ended = {role.name: role.process.wait(ENDS_WITHIN_S) for role in roles}
    assert ended == dict.fromkeys(ended, 0)


def test_what_cannot_be_provisioned_is_reported_within_its_time(environment: dict[str, str]) -> None:
    away = {**environment, "PACKSHOT_KAFKA_BOOTSTRAP_SERVERS": f"{LOOPBACK}:{free_port()}"}
    done = subprocess.run([*CLI, "provision", "--within", "1"], env=away, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "packshot: the brokers or the database were away for 1 s" in done.stderr
