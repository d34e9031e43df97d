"""End to end: the commands and the API against a running system, in memory + SQLite + a folder, and on real servers.

The API's README has a quick start, which works as it stands there.
"""

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
from tests.e2e.system import ROOT, System, draw_product, running, upsert

PHOTOGRAPHS = ROOT / "loadtest" / "rendering" / "catalogue" / "photographs"
FLAVOURS = ("memory", pytest.param("real", marks=pytest.mark.long))


@pytest.fixture(scope="module", params=FLAVOURS)
def system(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    folder = tmp_path_factory.mktemp(request.param)
    for sku, colour in {"JAR": (170, 90, 60), "POT": (70, 110, 160), "CAN": (120, 140, 60)}.items():
        draw_product(folder / f"{sku}.png", colour)
    roots = {"PACKSHOT_SOURCE_FILE_ROOTS": f"{folder},{PHOTOGRAPHS}"}
    with running(folder, roots | _environment(request)) as started:
        yield started


def _environment(request: pytest.FixtureRequest) -> dict[str, str]:
    if request.param == "memory":
        return {"PACKSHOT_EMBEDDED_BROKER": "memory"}
    request.getfixturevalue("s3_endpoint")
    server = request.getfixturevalue("s3_server")
    return {
        "PACKSHOT_KAFKA_BOOTSTRAP_SERVERS": request.getfixturevalue("kafka_bootstrap"),
        "PACKSHOT_DATABASE_URL": request.getfixturevalue("postgres_url"),
        "PACKSHOT_BLOBS_URL": "s3://packshot/blobs",
        "PACKSHOT_ORIGIN_URL": "s3://packshot/origin",
        "PACKSHOT_S3_ENDPOINT": server.endpoint,
        "AWS_ACCESS_KEY_ID": server.access_key,
        "AWS_SECRET_ACCESS_KEY": server.secret_key,
    }


def test_a_product_goes_all_the_way(system: System) -> None:
    outcome = system.submit(upsert("JAR", channels=["amazon", "instagram"]))
    (product,) = outcome["submitted"]
    assert product["state"] == "done", product
    assert {asset["asset"]: asset["state"] for asset in product["assets"]} == {
        "amazon-1": "published",
        "instagram-1": "published",
        "web-1": "published",
    }
    events = [event for event in system.published() if event["sku"] == "JAR"]
    assert sorted(e["asset"] for e in events if e["type"] == "AssetPublished") == ["amazon-1", "instagram-1", "web-1"]
    assert [e["assets"] for e in events if e["type"] == "ProductPublished"] == [["amazon-1", "instagram-1", "web-1"]]
    amazon = next(e for e in events if e.get("asset") == "amazon-1")
    for rendition in [amazon["file"], *amazon["renditions"]]:
        with urllib.request.urlopen(rendition["url"], timeout=10) as answer:
            picture = Image.open(io.BytesIO(answer.read()))
            assert picture.size == (rendition["width_px"], rendition["height_px"])
    assert {r["media_type"] for r in amazon["renditions"]} == {"image/jpeg", "image/webp", "image/avif"}


def test_the_same_event_again_publishes_nothing_twice(system: System) -> None:
    event = upsert("POT")
    system.submit(event)
    before = system.published()
    system.submit(event)
    assert system.published() == before


def test_the_costs_of_images_that_went_live_are_reported(system: System) -> None:
    photograph = [{"uri": "JAR.png"}]
    system.submit(
        upsert("FIRST", channels=["amazon", "instagram"], sources=photograph), upsert("COPY", sources=photograph)
    )
    view = system.json("costs", "--by", "operation")
    groups = {each["group"]["operation"]: each for each in view["groups"]}
    assert set(groups) == {"cutout", "packshot", "transparent"}
    assert all(each["images"] and each["per_image_nanos"] > 0 for each in groups.values())
    assert groups["cutout"]["saved_price_nanos"] > 0
    assert view["total"]["images"] == groups["packshot"]["images"] + groups["transparent"]["images"]
    assert view["total"]["total_nanos"] == sum(each["total_nanos"] for each in groups.values())


def test_bad_input_is_an_answer(system: System) -> None:
    (system.folder / "text.jpg").write_text("this is no picture")
    outcome = system.submit(
        upsert("GONE", sources=[{"uri": (system.folder / "gone.png").as_uri()}]),
        upsert("TYPO", sources=[{"uri": "typo.png"}]),
        upsert("TEXT", sources=[{"uri": "text.jpg"}]),
        upsert("LOCAL", sources=[{"uri": "http://127.0.0.1:9/x.png"}]),
        {**upsert("WRONG"), "version": 0},
        {"type": "CampaignRequested", "tenant": "demo", "campaign": "c", "skus": ["NOBODY"], "channels": ["amazon"]},
        status=1,
    )
    reasons = {each["subject"]: each["reason"] for each in outcome["submitted"]}
    assert "source_not_found" in reasons["GONE v1"]
    assert "source_not_an_image" in reasons["TEXT v1"] or "not_an_image" in reasons["TEXT v1"]
    assert "source_private_address" in reasons["LOCAL v1"]
    assert "unknown_sku" in reasons["campaign c"]
    assert sorted(each["field"] for each in outcome["bad_lines"]) == ["sources", "version"]
    assert "TYPO v1" not in reasons


def test_a_dead_letter_that_is_replayed_goes_all_the_way(system: System) -> None:
    late = upsert("LATE", sources=[{"uri": (system.folder / "late.png").as_uri()}])
    system.submit(late, status=1)
    (letter,) = system.json("dead", "list", "--sku", "LATE")
    assert (letter["code"], letter["origin"]) == ("source_not_found", "imagery.tasks.cutout.standard")
    draw_product(system.folder / "late.png", (90, 90, 150))
    assert [each["id"] for each in system.json("dead", "replay", "--sku", "LATE")] == [letter["id"]]
    assert system.json("dead", "replay", "--sku", "LATE") == []
    system.wait_for("LATE", {"amazon-1": "published", "web-1": "published"})
    events = [event for event in system.published() if event["sku"] == "LATE"]
    assert sorted(e["asset"] for e in events if e["type"] == "AssetPublished") == ["amazon-1", "web-1"]
    assert [(e["assets"], e["withheld"]) for e in events if e["type"] == "ProductPublished"][-1] == (
        ["amazon-1", "web-1"],
        {},
    )
    assert system.json("dead", "show", letter["id"])["state"] == "replayed"


def test_a_delete_takes_everything_away(system: System) -> None:
    system.submit(upsert("CAN"))
    url = next(e["file"]["url"] for e in system.published() if e["type"] == "AssetPublished" and e["sku"] == "CAN")
    system.submit({"type": "CatalogChanged", "tenant": "demo", "sku": "CAN", "version": 2, "change": "delete"})
    retracted = [e["asset"] for e in system.published() if e["type"] == "AssetRetracted" and e["sku"] == "CAN"]
    assert sorted(retracted) == ["amazon-1", "web-1"]
    with pytest.raises(OSError, match="404"):
        urllib.request.urlopen(url, timeout=10)
    assert system.json("status", "CAN")["assets"] == []


def test_the_trace_of_an_announcement_is_the_trace_of_its_event(system: System) -> None:
    """Each submitted event starts a trace; its announcements carry it on in their headers."""
    from confluent_kafka import Consumer, TopicPartition

    bootstrap = json.loads((system.folder / "data" / "running.json").read_text())["bootstrap_servers"]
    consumer = Consumer({"bootstrap.servers": bootstrap, "group.id": "test-trace", "enable.partition.eof": True})
    traces: dict[str, set[str]] = {}
    for topic in ("imagery.catalog", "imagery.published"):
        partitions = consumer.list_topics(topic, timeout=10).topics[topic].partitions
        consumer.assign([TopicPartition(topic, number, 0) for number in partitions])
        left = set(partitions)
        while left:
            message = consumer.poll(5)
            assert message is not None
            if message.error():
                left.discard(message.partition())
                continue
            if message.key() == b"demo|JAR":
                headers = dict(message.headers() or [])
                traces.setdefault(topic, set()).add(headers["traceparent"].decode().split("-")[1])
    consumer.close()
    assert traces["imagery.published"] == traces["imagery.catalog"]


def test_an_audit_is_clean_until_a_live_file_is_missing(system: System) -> None:
    report = system.json("audit", "--deep")
    assert report["findings"] == []
    assert report["figures"]["tasks"] == report["figures"]["completed"] + report["figures"]["failed"] > 0
    if "PACKSHOT_ORIGIN_URL" in system.environment:
        return
    event = next(e for e in system.published() if e["type"] == "AssetPublished" and e["sku"] == "JAR")
    file = system.folder / "data" / "origin" / event["file"]["key"]
    kept = file.rename(system.folder / "kept")
    report = system.json("audit", status=1)
    assert [each["name"] for each in report["findings"]] == [event["file"]["key"]]
    kept.rename(file)


def test_check_finds_everything_in_order(system: System) -> None:
    findings = system.json("check")
    assert {each["name"] for each in findings} >= {
        "broker",
        "topics",
        "database",
        "blobs",
        "origin",
        "weights",
        "engine",
    }
    assert [each for each in findings if not each["ok"]] == []


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
