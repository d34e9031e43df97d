"""The registry's client against a small real server that answers as a Confluent registry does."""

import base64
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote

import pytest

from schemas import codec, history
from schemas.records import CatalogChanged, Event, Source, Step, Task
from streams.consumer.registry import Registry
from streams.runtime.errors import Refused, Unavailable

EVENT = CatalogChanged(tenant="demo", sku="A", version=1, sources=[Source(uri="a.jpg")], channels=["amazon"])
TASK = Task(task_id="0" * 64, tenant="demo", sku="A", version=1, lane="bulk", step=Step(operation="cutout"))


class Desk(ThreadingHTTPServer):
    """A registry: ids by schema, subjects, and what it was asked."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.schemas: list[str] = []
        self.subjects: dict[str, list[int]] = {}
        self.asked: list[str] = []
        self.status = 200
        self.authorization: str | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def add(self, schema: str) -> int:
        if schema not in self.schemas:
            self.schemas.append(schema)
        return self.schemas.index(schema) + 1


class Handler(BaseHTTPRequestHandler):
    server: Desk

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        subject = unquote(self.path.split("/")[2])
        identity = self.server.add(body["schema"])
        self.server.subjects.setdefault(subject, []).append(identity)
        self._answer({"id": identity})

    def do_GET(self) -> None:
        number = int(self.path.rpartition("/")[2])
        if number > len(self.server.schemas):
            self._answer({"error_code": 40403, "message": "Schema not found"}, 404)
        else:
            self._answer({"schema": self.server.schemas[number - 1]})

    def _answer(self, body: dict[str, Any], status: int = 200) -> None:
        self.server.asked.append(f"{self.command} {unquote(self.path)}")
        self.server.authorization = self.headers["Authorization"]
        data = json.dumps(body).encode()
        self.send_response(self.server.status if self.server.status != 200 else status)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_: object) -> None:
        """Says nothing."""


@pytest.fixture
def desk() -> Iterator[Desk]:
    server = Desk()
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server
    codec.use_registry(None)
    server.shutdown()
    thread.join()
    server.server_close()


def in_frame(event: Event) -> int:
    return int.from_bytes(codec.encode(event)[1:5], "big")


def test_schemas_are_registered_once_and_their_ids_carried(desk: Desk) -> None:
    codec.use_registry(Registry(desk.url))
    assert (in_frame(EVENT), in_frame(TASK), in_frame(EVENT)) == (1, 2, 1)
    assert set(desk.subjects) == {
        "imagery.catalog-packshot.CatalogChanged",
        "imagery.tasks.cutout.bulk-packshot.Task",
    }
    assert len(desk.asked) == 2
    assert codec.decode(codec.encode(EVENT)) == EVENT
    assert json.loads(desk.schemas[0])["name"] == "packshot.CatalogChanged"


def test_a_newer_producers_record_is_read_by_what_the_registry_knows_of_it(desk: Desk) -> None:
    newer = history.written(history.schema_of(CatalogChanged))
    newer["fields"] = [*newer["fields"], {"name": "season", "type": ["null", "string"], "default": None}]
    codec.use_registry(Registry(desk.url))
    data = codec.encode(EVENT)
    identity = desk.add(json.dumps(newer))
    longer = b"\x00" + identity.to_bytes(4, "big") + data[5:] + b"\x02\x0cspring"
    assert codec.decode(longer) == EVENT
    codec.decode(longer)
    assert desk.asked.count(f"GET /schemas/ids/{identity}") == 1


def test_records_from_before_the_registry_are_read_all_the_same(desk: Desk) -> None:
    before = codec.encode(EVENT)
    codec.use_registry(Registry(desk.url))
    assert codec.decode(before) == EVENT
    assert desk.asked == []


def test_an_id_that_the_registry_does_not_know_is_an_unknown_schema(desk: Desk) -> None:
    codec.use_registry(Registry(desk.url))
    with pytest.raises(codec.UnknownSchema):
        codec.decode(b"\x00\x00\x00\x00\x63rest")


def test_a_strangers_schema_is_an_unknown_schema(desk: Desk) -> None:
    codec.use_registry(Registry(desk.url))
    identity = desk.add(json.dumps({"type": "record", "name": "other.Thing", "fields": []}))
    with pytest.raises(codec.UnknownSchema):
        codec.decode(b"\x00" + identity.to_bytes(4, "big"))


def test_credentials_in_the_url_are_sent_and_not_shown(desk: Desk) -> None:
    url = desk.url.replace("//", "//ada:secret@")
    desk.status = 401
    with pytest.raises(Refused) as caught:
        Registry(url).id_of(Task, "t")
    assert desk.authorization == f"Basic {base64.b64encode(b'ada:secret').decode()}"
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(("status", "error"), [(409, Refused), (422, Refused), (503, Unavailable), (429, Unavailable)])
def test_refusals_and_outages_are_told_apart(desk: Desk, status: int, error: type[Exception]) -> None:
    desk.status = status
    with pytest.raises(error, match=str(status)):
        Registry(desk.url).id_of(Task, "t")


def test_a_registry_that_is_away_is_waited_for() -> None:
    with pytest.raises(Unavailable, match="does not answer"):
        Registry("http://127.0.0.1:9").schema(1)
