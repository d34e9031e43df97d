"""The examples as somebody else would run them: alone, with an address and a key, against the real API."""

import json
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from schemas import topics
from schemas.records import AssetPublished, AssetRetracted, CatalogChanged, Rendition, Source, Verdict
from streams.api.gateway import Gateway
from streams.consumer import letters, reading
from streams.consumer.letters import Delivery, outgoing
from streams.runtime.errors import Refused
from streams.runtime.settings import Settings
from tests.servers import skip_or_fail
from tests.streams.client.conftest import *  # noqa: F403
from tests.streams.client.test_client import sent_by
from tests.streams.flow import Recorder

EXAMPLES = Path(__file__).parents[2] / "infra" / "examples"
MUG = CatalogChanged(
    tenant="demo", sku="MUG", version=1, sources=[Source(uri="https://images.example/a.jpg")], channels=["amazon"]
)
LANGUAGES = [("py", sys.executable), ("mjs", "node")]


@pytest.fixture(params=LANGUAGES, ids=["python", "node"])
def run(request: pytest.FixtureRequest) -> Any:
    """The command that runs an example, in either language."""
    ending, program = request.param
    if shutil.which(program) is None:
        skip_or_fail(f"{program} is not installed")
    return lambda name: [program, str(EXAMPLES / f"{name}.{ending}")]


def around(tmp_path: Path, **more: str) -> dict[str, str]:
    """Nothing of ours is to be found from there."""
    return {"PATH": os.environ["PATH"], "HOME": str(tmp_path), **more}


def test_a_pim_sends_its_products(run: Any, tmp_path: Path, url: str, key: str, recorder: Recorder) -> None:
    wrong = {**msgspec.to_builtins(MUG), "channels": ["moon"]}
    lines = msgspec.json.encode(MUG) + b"\n" + msgspec.json.encode(wrong) + b"\n"

    def sent(by: str) -> Any:
        environment = around(tmp_path, API=url, KEY=by)
        command = run("pim_producer")
        return subprocess.run(
            command, input=lines, cwd=tmp_path, env=environment, capture_output=True, timeout=300, check=False
        )

    done = sent(key)
    first, second = done.stdout.decode().splitlines()
    assert (done.returncode, first) == (1, "1 202 MUG"), done.stderr
    assert second.startswith("2 422 channels: ")
    assert sent_by(recorder) == [MUG]
    refused = sent("x")
    assert refused.returncode == 1
    assert b"key_unknown" in refused.stderr, refused.stderr


def record(offset: int, event: Any) -> Delivery:
    made = outgoing(event, "test")
    return Delivery(made.topic, 0, offset, made.key, made.value, made.headers, 1)


def deliveries() -> Iterator[Delivery]:
    file = Rendition(
        key="k", url="https://cdn.example/k.jpg", media_type="image/jpeg", width_px=2, height_px=2, size_bytes=9,
        sha256="0" * 64,
    )  # fmt: skip
    about: dict[str, Any] = {"tenant": "demo", "sku": "MUG", "version": 1, "asset": "amazon-1"}
    yield record(1, AssetPublished(
        **about, channel="amazon", file=file, renditions=[file], srcset={}, engine="e", published_at_ms=1,
        verdict=Verdict(outcome="pass", rules="amazon@1", checks=[]), manifest_url="https://cdn.example/m.json",
    ))  # fmt: skip
    yield record(2, AssetRetracted(**about, reason="deleted", urls=[], retracted_at_ms=1))


def test_a_listing_service_hears_what_goes_live_and_away(
    run: Any, tmp_path: Path, url: str, key: str, gateway: Gateway
) -> None:
    with subprocess.Popen(
        run("listing_consumer"), cwd=tmp_path, env=around(tmp_path, API=url, KEY=key), stdout=subprocess.PIPE, text=True
    ) as listing:
        assert listing.stdout is not None
        try:
            while not gateway.progress._listeners:
                assert listing.poll() is None
                threading.Event().wait(0.05)
            for each in deliveries():
                gateway.progress.tell(each)
            assert listing.stdout.readline() == "live MUG amazon-1 https://cdn.example/k.jpg\n"
            assert listing.stdout.readline() == "gone MUG amazon-1 deleted\n"
        finally:
            listing.kill()


def test_who_writes_avro_needs_the_description_alone(tmp_path: Path, url: str, memory_bootstrap: str) -> None:
    """What arrives is an event of ours, under its key; the same with another key is refused, and the field named."""
    settings = Settings(data_folder=tmp_path, kafka_bootstrap_servers=memory_bootstrap)
    from confluent_kafka.admin import AdminClient, NewTopic

    admin = AdminClient({"bootstrap.servers": memory_bootstrap})
    admin.create_topics([NewTopic(topics.CATALOG.name, 4, 1)])[topics.CATALOG.name].result(60)
    fields = {**msgspec.to_builtins(MUG), "sku": "MÜG"}
    fields.pop("type")
    command = [sys.executable, str(EXAMPLES / "kafka_producer.py")]
    environment = around(tmp_path, API=url, BROKERS=memory_bootstrap)
    subprocess.run(command, input=json.dumps(fields).encode(), cwd=tmp_path, env=environment, check=True, timeout=300)
    (arrived,) = reading.read(settings, [topics.CATALOG.name])
    event = letters.event_in(arrived)
    assert isinstance(event, CatalogChanged)
    assert (event.sku, arrived.key) == ("MÜG", "demo|MÜG".encode())
    other = Delivery(arrived.topic, 0, 1, b"MUG", arrived.value, arrived.headers, 1)
    with pytest.raises(Refused) as refused:
        letters.event_in(other)
    assert (refused.value.code, refused.value.field) == ("wrong_key", "key")


def test_examples_import_nothing_of_ours() -> None:
    for file in EXAMPLES.iterdir():
        text = file.read_text()
        assert len([line for line in text.splitlines() if line.strip()]) <= 42, file
        for package in ("schemas", "streams", "gpu_workers", "infra"):
            assert f"import {package}" not in text
            assert f"from {package}" not in text
