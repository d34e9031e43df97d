"""Kafka by tokens: brokers that hold them to a certified OpenID provider, and both of our clients."""

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from infra.servers import KafkaCluster, ServerUnavailable, oidc
from infra.servers.kafka import ADMIN
from schemas import codec, topics
from schemas.records import CatalogChanged, Source, Task
from streams.consumer.clients import AcknowledgedProducer, make_topics
from streams.consumer.reading import read
from streams.runtime.errors import Unavailable
from streams.runtime.settings import Settings, variable
from streams.services.submitting import submission
from tests.e2e.system import ROOT
from tests.servers import skip_or_fail

pytestmark = pytest.mark.heavy
WITHIN_S = 400.0
SECRET = "the secret of a machine"


@pytest.fixture(scope="module")
def fields() -> Iterator[dict[str, object]]:
    """The settings of a system at brokers that take tokens."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        try:
            with oidc.provider(folder, ROOT / ".cache", "http://127.0.0.1:9/back", {}, {ADMIN: SECRET}) as issuer:
                cluster = KafkaCluster(folder, ROOT / ".cache", {}, issuer)
                cluster.start()
                passwords = {"kafka_sasl_username", "kafka_sasl_password"}
                named = {name: value for name, value in cluster.fields().items() if name not in passwords}
                yield named | {
                    "kafka_sasl_mechanism": "OAUTHBEARER",
                    "kafka_oauth_token_url": f"{issuer}/token",
                    "kafka_oauth_client_id": ADMIN,
                    "kafka_oauth_client_secret": SECRET,
                    "kafka_partitions": 2,
                    "data_folder": folder / "data",
                }
                cluster.stop()
        except ServerUnavailable as missing:
            skip_or_fail(str(missing))


def test_a_role_reads_and_writes_by_tokens_and_goes_on_when_the_first_has_ended(fields: dict[str, object]) -> None:
    settings = Settings(**fields)
    make_topics(settings)
    environment = {**os.environ, **{variable(name): str(value) for name, value in fields.items()}}
    log = Path(str(fields["data_folder"])).with_name("streams.log")
    with log.open("wb") as out:
        role = subprocess.Popen(
            [sys.executable, "-m", "streams.commands.cli", "run", "streams"],
            env=environment, cwd=ROOT, stdout=out, stderr=out,
        )  # fmt: skip
    producer = AcknowledgedProducer(settings)
    try:
        for version, wait_s in ((1, 0.0), (2, 65.0)):  # a token of this provider counts for 60 s
            time.sleep(wait_s)
            submission.send([_event(version)], producer)
            _wait_for_task(settings, version, log)
    finally:
        producer.close()
        role.terminate()
        role.wait(100)


def test_a_wrong_secret_is_told(fields: dict[str, object]) -> None:
    with pytest.raises(Unavailable, match="401"):
        AcknowledgedProducer(Settings(**fields | {"kafka_oauth_client_secret": "another"}))


def _event(version: int) -> CatalogChanged:
    sources = [Source(uri=f"https://shop.example/jar-{version}.jpg")]
    return CatalogChanged(
        change="upsert", tenant="demo", sku="JAR", version=version, title="Jar", channels=["amazon"], sources=sources
    )


def _wait_for_task(settings: Settings, version: int, log: Path) -> None:
    names = [topic.name for topic in topics.TASKS.values()]
    give_up_at = time.monotonic() + WITHIN_S
    while not any(
        isinstance(task := codec.decode(each.value), Task) and task.version == version for each in read(settings, names)
    ):
        assert time.monotonic() < give_up_at, log.read_text()[-3000:]
        time.sleep(1)
