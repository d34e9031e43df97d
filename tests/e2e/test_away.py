"""The broker, the database or the storage is away for a while: the system waits, goes on, and nothing is lost."""

import json
import os
import signal
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path
from typing import Any

import pytest

from infra.servers import S3Server, ServerUnavailable, postgres, versitygw
from infra.servers.process import free_port
from streams.embedded import BrokerUnavailable, choose_broker
from tests.e2e.system import ROOT, System, draw_product, upsert
from tests.servers import skip_or_fail

pytestmark = pytest.mark.long
AWAY_S = 4.0


class Parts:
    """A broker, a database and a storage that can be taken away and given back, each with its data."""

    def __init__(self, folder: Path) -> None:
        self._broker = choose_broker(folder, ROOT / ".cache", "kafka")
        database_port, s3_port = free_port(), free_port()
        self._servers: dict[str, Callable[[], AbstractContextManager[Any]]] = {
            "database": lambda: postgres(folder / "postgres", database_port),
            "storage": lambda: versitygw(folder / "s3", s3_port),
        }
        self._running: dict[str, ExitStack] = {}
        self.database_url: str = self.give_back("database")
        self.s3: S3Server = self.give_back("storage")
        self.give_back("broker")

    @property
    def environment(self) -> dict[str, str]:
        return {
            "PACKSHOT_KAFKA_BOOTSTRAP_SERVERS": self._broker.bootstrap_servers,
            "PACKSHOT_DATABASE_URL": self.database_url,
            "PACKSHOT_BLOBS_URL": "s3://packshot/blobs",
            "PACKSHOT_ORIGIN_URL": "s3://packshot/origin",
            "PACKSHOT_S3_ENDPOINT": self.s3.endpoint,
            "AWS_ACCESS_KEY_ID": self.s3.access_key,
            "AWS_SECRET_ACCESS_KEY": self.s3.secret_key,
        }

    def take_away(self, name: str) -> None:
        """Stops a part; the broker by SIGKILL."""
        if name == "broker":
            assert self._broker.pid is not None
            os.kill(self._broker.pid, signal.SIGKILL)
            self._broker.stop()
        else:
            self._running.pop(name).close()

    def give_back(self, name: str) -> Any:
        """Starts a part on the port and the data that it had."""
        if name == "broker":
            return self._broker.start()
        stack = self._running[name] = ExitStack()
        return stack.enter_context(self._servers[name]())

    def close(self) -> None:
        for stack in self._running.values():
            stack.close()
        self._broker.stop()


@pytest.fixture(scope="module")
def parts() -> Iterator[Parts]:
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)  # PostgreSQL runs as another user
        try:
            parts = Parts(Path(folder))
        except (ServerUnavailable, BrokerUnavailable) as missing:
            skip_or_fail(str(missing))
        yield parts
        parts.close()


@pytest.fixture(scope="module")
def system(parts: Parts, tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    system = System(tmp_path_factory.mktemp("away"), parts.environment)
    system.start()
    yield system
    system.stop()


@pytest.mark.parametrize("name", ["storage", "database", "broker"])
def test_the_system_waits_and_goes_on(name: str, parts: Parts, system: System) -> None:
    skus = [f"{name}-{number}" for number in range(3)]
    for number, sku in enumerate(skus):
        draw_product(system.folder / f"{sku}.png", (60 + 40 * number, 120, 40 + 9 * len(name)))
    events = [upsert(sku) for sku in skus]
    file = system.folder / f"{name}.jsonl"
    file.write_text("".join(json.dumps(event) + "\n" for event in events))
    system.run("submit", str(file))
    parts.take_away(name)
    time.sleep(AWAY_S)
    parts.give_back(name)
    assert {each["state"] for each in system.submit(*events)["submitted"]} == {"done"}
    announced = Counter((e["sku"], e["asset"]) for e in system.published() if e["type"] == "AssetPublished")
    mine = {place: count for place, count in announced.items() if place[0] in skus}
    assert mine == {(sku, asset): 1 for sku in skus for asset in ("amazon-1", "web-1")}


@pytest.mark.parametrize(("name", "found"), [("storage", "blobs"), ("database", "database"), ("broker", "broker")])
def test_check_says_what_is_away(name: str, found: str, parts: Parts, system: System) -> None:
    parts.take_away(name)
    try:
        findings = {each["name"]: each["ok"] for each in system.json("check", status=1)}
        assert not findings[found]
        assert findings["engine"]
    finally:
        parts.give_back(name)
