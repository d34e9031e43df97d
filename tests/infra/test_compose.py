"""compose.yaml, held against what there is: commands, settings, ports, volumes, secrets."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from streams.runtime.settings import Settings
from streams.runtime.supervisor import ROLES
from tests.infra.held import command_of, unknown_settings

FOLDER = Path(__file__).parents[2] / "infra" / "containers"
COMPOSE: dict[str, Any] = yaml.safe_load((FOLDER / "compose.yaml").read_text())
SERVICES: dict[str, Any] = COMPOSE["services"]
OURS = {name: its for name, its in SERVICES.items() if "packshot" in its["image"]}


def test_every_role_of_up_is_a_service_and_topics_are_made_by_one() -> None:
    commands = [tuple(its["command"]) for its in OURS.values()]
    assert sorted(commands) == sorted([*(("run", *role) for role in ROLES), ("provision", "--within", "120")])


@pytest.mark.parametrize("name", sorted(OURS))
def test_a_service_of_ours_runs_a_command_that_there_is_with_settings_that_there_are(name: str) -> None:
    its = OURS[name]
    command_of(its["command"])
    assert unknown_settings(its["environment"]) == []
    files = [value for key, value in its["environment"].items() if key.endswith("_FILE")]
    assert {Path(file).name for file in files} <= set(its["secrets"])


@pytest.mark.parametrize("name", sorted(OURS))
def test_a_service_of_ours_has_no_rights_and_a_read_only_root(name: str) -> None:
    its = OURS[name]
    assert its["read_only"]
    assert its["user"] == "10001:10001"
    assert its["cap_drop"] == ["ALL"]
    written = {place.split(":")[-1] for place in [*its.get("tmpfs", []), *its.get("volumes", [])]}
    assert {"/tmp", "/var/lib/packshot"} <= written
    assert ("/var/cache/packshot" in written) == name.startswith("worker")


@pytest.mark.parametrize("name", sorted(OURS.keys() - {"provision"}))
def test_a_role_is_asked_where_it_listens(name: str) -> None:
    port = OURS[name]["environment"]["PACKSHOT_METRICS_PORT"]
    assert f"127.0.0.1:{port}/readyz" in OURS[name]["healthcheck"]["test"][-1]
    scraped = yaml.safe_load((FOLDER / "prometheus.yaml").read_text())["scrape_configs"][0]
    assert f"{name}:{port}" in scraped["static_configs"][0]["targets"]


def test_what_it_lets_in_from_outside_listens_there_and_is_on_loopback() -> None:
    for name, default in (("gateway", Settings.gateway_port), ("cdn", Settings.cdn_port)):
        assert SERVICES[name]["ports"] == [f"127.0.0.1:{default}:{default}"]
        assert SERVICES[name]["environment"][f"PACKSHOT_{name.upper()}_HOST"] == "0.0.0.0"
    assert all(port.startswith("127.0.0.1:") for its in SERVICES.values() for port in its.get("ports", []))


def test_all_that_is_named_is_there() -> None:
    for its in SERVICES.values():
        assert set(its.get("depends_on", {})) <= set(SERVICES)
        assert set(its.get("secrets", [])) <= set(COMPOSE["secrets"])
        volumes = {volume.split(":")[0] for volume in its.get("volumes", [])}
        assert {name for name in volumes if not name.startswith(".")} <= set(COMPOSE["volumes"])
        assert all((FOLDER / name).exists() for name in volumes if name.startswith("."))


def test_no_image_is_whatever_is_newest_and_no_secret_stands_in_the_file() -> None:
    for its in SERVICES.values():
        assert re.search(r":(v?\d|\$|dev)", its["image"].rpartition("/")[2]) or "PACKSHOT_IMAGE" in its["image"]
        assert not [name for name in its.get("environment", {}) if re.search("PASSWORD$|SECRET$|KEYS?$", name)]
