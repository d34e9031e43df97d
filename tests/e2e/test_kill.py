"""SIGKILL of the whole system in the middle of its work: nothing is missing afterwards, nothing is published twice."""

import json
import time
from collections import Counter
from pathlib import Path

import pytest

from tests.e2e.system import System, draw_product, upsert

SKUS = [f"JAR-{number}" for number in range(6)]


@pytest.mark.long
@pytest.mark.usefixtures("kafka_bootstrap")
def test_a_killed_system_goes_on_where_it_was(tmp_path: Path) -> None:
    for number, sku in enumerate(SKUS):
        draw_product(tmp_path / f"{sku}.png", (60 + 30 * number, 110, 90))
    system = System(tmp_path, {"PACKSHOT_EMBEDDED_BROKER": "kafka"})
    events = [upsert(sku, channels=["amazon", "google"]) for sku in SKUS]
    (tmp_path / "events.jsonl").write_text("".join(json.dumps(event) + "\n" for event in events))
    system.start()
    try:
        system.run("submit", str(tmp_path / "events.jsonl"))
        _wait_for_first(system)
        system.kill()
        system.start()
        outcome = system.submit(*events)
        assert {each["state"] for each in outcome["submitted"]} == {"done"}
        announced = Counter(
            (event["sku"], event["asset"]) for event in system.published() if event["type"] == "AssetPublished"
        )
        assert announced == {(sku, asset): 1 for sku in SKUS for asset in ("amazon-1", "google-1", "web-1")}
    finally:
        system.stop()


def _wait_for_first(system: System) -> None:
    deadline = time.monotonic() + 900
    while not any(event["type"] == "AssetPublished" for event in system.published()):
        assert time.monotonic() < deadline, system.log()
        time.sleep(0.5)
