"""`--remote`: the commands go through the API, and open neither a database nor a broker."""

import json
import os
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import msgspec
import pytest

from schemas.records import CampaignRequested, CatalogChanged, Source
from streams.facts import Database
from streams.services.access import keys
from streams.services.recovery import dead
from tests.streams.client.test_client import sent_by
from tests.streams.flow import Flow, Recorder

MUG = CatalogChanged(
    tenant="demo", sku="MUG", version=3, sources=[Source(uri="https://images.example/a.jpg")], channels=["amazon"]
)


@pytest.fixture(autouse=True)
def no_letters(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dead, "find", lambda _settings, _wanted: [])


def packshot(folder: Path, *arguments: str, **around: str) -> tuple[int, str, str]:
    """A command in a process of its own that could reach nothing but the API."""
    nowhere = {
        "PACKSHOT_DATABASE_URL": "postgresql://nobody@127.0.0.1:1/none",
        "PACKSHOT_DATA_FOLDER": str(folder / "x"),
    }
    environment = {**os.environ, **nowhere, "PACKSHOT_KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:1", **around}
    command = [sys.executable, "-m", "streams.commands.cli", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=600, check=False)
    assert not (folder / "x").exists()
    return done.returncode, done.stdout, done.stderr


def events_in(folder: Path, *events: Any) -> str:
    file = folder / "events.jsonl"
    file.write_bytes(b"\n".join(msgspec.json.encode(each) for each in events))
    return str(file)


def test_events_are_sent_through_the_api(tmp_path: Path, url: str, key: str, recorder: Recorder) -> None:
    wrong = {**msgspec.to_builtins(MUG), "sku": "JUG", "channels": ["moon"]}
    theirs = {**msgspec.to_builtins(MUG), "tenant": "other"}
    campaign = CampaignRequested(tenant="demo", campaign="SALE", skus=["MUG"], channels=["amazon"])
    file = events_in(tmp_path, MUG, wrong, campaign)
    status, out, _ = packshot(tmp_path, "submit", file, "--json", "--remote", url, "--key", key)
    printed = json.loads(out)
    assert (status, [each["subject"] for each in printed["submitted"]]) == (1, ["MUG v3", "campaign SALE"])
    assert [(each["line"], each["field"]) for each in printed["bad_lines"]] == [(2, "channels")]
    assert sent_by(recorder)[0] == MUG
    status, _, err = packshot(
        tmp_path, "submit", events_in(tmp_path, theirs), PACKSHOT_REMOTE=url, PACKSHOT_REMOTE_KEY=key
    )
    assert (status, "tenant_forbidden" in err) == (2, True)


def test_a_wait_ends_when_all_is_settled(
    tmp_path: Path, url: str, key: str, recorder: Recorder, database: Database
) -> None:
    """The flow here is the processors' own, and ends at the first failure of the task."""

    def intake() -> None:
        while not recorder.records:
            threading.Event().wait(0.05)
        Flow(database).say(MUG)
        with database.begin() as facts:
            for asset in facts.assets.of("demo", "MUG"):
                facts.assets.move("demo", "MUG", asset.asset, 3, "not made", reason="no_source: gone")

    thread = threading.Thread(target=intake)
    thread.start()
    file = events_in(tmp_path, MUG)
    status, out, err = packshot(tmp_path, "submit", file, "--wait", "--json", "--remote", url, "--key", key)
    thread.join()
    assert status == 1, out + err
    (waited,) = json.loads(out)["submitted"]
    assert waited["state"] == "failed"
    assert {each["state"] for each in waited["assets"]} == {"failed"}
    status, out, _ = packshot(tmp_path, "status", "MUG", "--json", "--remote", url, "--key", key)
    assert (status, json.loads(out)["version"]) == (0, 3)
    status, out, _ = packshot(tmp_path, "status", "MUG", "--remote", url, "--key", key)
    assert (status, "amazon-1" in out) == (0, True)


def test_what_is_wrong_has_a_sentence(tmp_path: Path, url: str, key: str) -> None:
    status, _, err = packshot(tmp_path, "status", "NONE", PACKSHOT_REMOTE=url, PACKSHOT_REMOTE_KEY=key)
    assert (status, "unknown_product" in err) == (2, True)
    status, _, err = packshot(tmp_path, "status", "NONE", "--remote", url)
    assert (status, "PACKSHOT_REMOTE_KEY" in err) == (2, True)
    status, _, err = packshot(tmp_path, "status", "NONE", "--remote", url, "--key", "psk_live_none")
    assert (status, "key_unknown" in err) == (2, True)


def test_a_key_of_several_tenants_sends_each_ones_own(
    tmp_path: Path, url: str, database: Database, recorder: Recorder
) -> None:
    both, _ = keys.create(database, "agency", ("demo", "other"))
    theirs = msgspec.structs.replace(MUG, tenant="other")
    status, _, err = packshot(tmp_path, "submit", events_in(tmp_path, theirs, MUG), "--remote", url, "--key", both)
    assert status == 0, err
    assert {msgspec.to_builtins(each)["tenant"] for each in sent_by(recorder)} == {"demo", "other"}
