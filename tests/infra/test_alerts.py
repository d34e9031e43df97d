"""Every alert fires in a unit test, has its steps, and asks for metrics that there are."""

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.servers import skip_or_fail
from tests.test_documentation import shown, unknown_options

pytestmark = pytest.mark.infra

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "infra" / "alerts"
RULES: list[dict[str, Any]] = [
    rule
    for file in sorted(FOLDER.glob("*.yaml"))
    for group in yaml.safe_load(file.read_text())["groups"]
    for rule in group["rules"]
]
ALERTS = {rule["alert"]: rule for rule in RULES if "alert" in rule}
PAGE = (FOLDER / "README.md").read_text()
OF_PROMETHEUS = {"up", "process_start_time_seconds"}
SUFFIXES = re.compile(r"_(total|bucket|count|sum)$")


def promtool(*arguments: str) -> "subprocess.CompletedProcess[str]":
    program = shutil.which("promtool")
    if program is None:
        skip_or_fail("promtool: Debian's prometheus, or Go's github.com/prometheus/prometheus/cmd/promtool")
    return subprocess.run([program, *arguments], capture_output=True, text=True, check=False)


def test_the_rules_are_rules() -> None:
    done = promtool("check", "rules", *map(str, sorted(FOLDER.glob("*.yaml"))))
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("file", sorted(FOLDER.glob("tests/*.yaml")), ids=lambda file: file.stem)
def test_the_unit_tests_of_the_rules_hold(file: Path) -> None:
    done = promtool("test", "rules", str(file))
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_unit_test_that_expects_something_else_fails(tmp_path: Path) -> None:
    """Or the one above would tell nothing."""
    test = (FOLDER / "tests" / "flow.yaml").read_text().replace("../flow.yaml", str(FOLDER / "flow.yaml"))
    file = tmp_path / "other.yaml"
    file.write_text(test.replace('alertname="RecordsLost"', 'alertname="RecordsFound"'))
    assert promtool("test", "rules", str(file)).returncode != 0


@pytest.mark.parametrize("name", sorted(ALERTS))
def test_an_alert_fires_in_a_unit_test_and_has_its_steps(name: str) -> None:
    tests = "".join(file.read_text() for file in FOLDER.glob("tests/*.yaml"))
    assert f'alertname="{name}", alertstate="firing"' in tests
    rule = ALERTS[name]
    assert rule["labels"]["severity"] in ("page", "ticket")
    assert rule["annotations"]["summary"]
    page, _, heading = rule["annotations"]["runbook"].partition("#")
    assert ROOT / page == FOLDER / "README.md"
    [steps] = [each for each in PAGE.split("\n## ")[1:] if each.partition("\n")[0].lower() == heading]
    assert len(steps.split()) > 15


def test_no_steps_are_for_an_alert_that_there_is_not() -> None:
    headings = {each.partition("\n")[0].lower() for each in PAGE.split("\n## ")[1:]}
    assert headings == {rule["annotations"]["runbook"].partition("#")[2] for rule in ALERTS.values()}


def test_the_steps_name_commands_that_there_are() -> None:
    flat = re.sub(r"`(packshot [^`]*)`", lambda match: f"`{' '.join(match[1].split())}`", PAGE)
    lines = list(shown(flat))
    assert len(lines) > 15
    assert {line: wrong for line in lines if (wrong := unknown_options(line))} == {}


def test_every_metric_that_is_asked_for_is_one_of_ours() -> None:
    code = "".join(file.read_text() for folder in ("streams", "gpu_workers") for file in (ROOT / folder).rglob("*.py"))
    ours = {SUFFIXES.sub("", name) for name in re.findall(r'"(packshot_[a-z_]+)"', code)}
    queried = {name for rule in RULES for name in re.findall(r"(?<![:\w\"])(packshot_[a-z_]+)", rule["expr"])}
    assert queried
    assert {name for name in queried if SUFFIXES.sub("", name) not in ours} == set()
    recorded = {rule["record"] for rule in RULES if "record" in rule}
    assert {name for rule in RULES for name in re.findall(r"packshot:\w+:\w+", rule["expr"])} <= recorded


def test_labels_that_alerts_choose_by_are_labels_that_metrics_have() -> None:
    """`how`, `status`, `met`, `outcome` and topics, as the code writes them."""
    text = "".join((FOLDER / name).read_text() for name in ("flow.yaml", "objectives.yaml"))
    assert set(re.findall(r'(\w+)=~?"', text)) <= {"how", "job", "met", "outcome", "status", "topic"}
