"""The registry's client against a small real server that answers as a Confluent registry does."""

import ast
import base64
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest

from schemas import codec, history
from schemas.codec import Codec
from schemas.records import CatalogChanged, Event, Source, Step, Task
from streams.consumer.letters import Delivery, event_in, outgoing
from streams.consumer.registry import Registry, codec_of
from streams.runtime.errors import Refused, Unavailable
from streams.runtime.settings import Settings

EVENT = CatalogChanged(tenant="demo", sku="A", version=1, sources=[Source(uri="a.jpg")], channels=["amazon"])
WITH_CODEC = {"event_in": 2, "outgoing": 4, "Worker": 6, "Publisher": 7, "Noting": 3, "DeadLetter": 3, "TaskLedger": 3}
ROOT = Path(__file__).parents[2]
TASK = Task(task_id="0" * 64, tenant="demo", sku="A", version=1, lane="bulk", step=Step(operation="cutout"))


class Desk(ThreadingHTTPServer):
    """A registry: ids by schema, subjects, and what it was asked."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.schemas: list[str] = []
        self.subjects: dict[str, list[int]] = {}
        self.requests: list[str] = []
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
        self.server.requests.append(f"{self.command} {unquote(self.path)}")
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
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def registered(desk: Desk) -> Codec:
    return Codec(Registry(desk.url))


def in_frame(event: Event, its: Codec) -> int:
    return int.from_bytes(its.encode(event)[1:5], "big")


def test_schemas_are_registered_once_and_their_ids_carried(desk: Desk, registered: Codec) -> None:
    assert [in_frame(event, registered) for event in (EVENT, TASK, EVENT)] == [1, 2, 1]
    assert set(desk.subjects) == {
        "imagery.catalog-packshot.CatalogChanged",
        "imagery.tasks.cutout.bulk-packshot.Task",
    }
    assert len(desk.requests) == 2
    assert registered.decode(registered.encode(EVENT)) == EVENT
    assert json.loads(desk.schemas[0])["name"] == "packshot.CatalogChanged"


def test_a_newer_producers_record_is_read_by_what_the_registry_knows_of_it(desk: Desk, registered: Codec) -> None:
    newer = history.written(history.schema_of(CatalogChanged))
    newer["fields"] = [*newer["fields"], {"name": "season", "type": ["null", "string"], "default": None}]
    data = registered.encode(EVENT)
    identity = desk.add(json.dumps(newer))
    longer = b"\x00" + identity.to_bytes(4, "big") + data[5:] + b"\x02\x0cspring"
    assert registered.decode(longer) == EVENT
    registered.decode(longer)
    assert desk.requests.count(f"GET /schemas/ids/{identity}") == 1


def test_records_from_before_the_registry_are_read_all_the_same(desk: Desk, registered: Codec) -> None:
    assert registered.decode(codec.encode(EVENT)) == EVENT
    assert desk.requests == []


def test_an_id_that_the_registry_does_not_know_is_an_unknown_schema(registered: Codec) -> None:
    with pytest.raises(codec.UnknownSchema):
        registered.decode(b"\x00\x00\x00\x00\x63rest")


def test_a_strangers_schema_is_an_unknown_schema(desk: Desk, registered: Codec) -> None:
    identity = desk.add(json.dumps({"type": "record", "name": "other.Thing", "fields": []}))
    with pytest.raises(codec.UnknownSchema):
        registered.decode(b"\x00" + identity.to_bytes(4, "big"))


@pytest.mark.parametrize(
    "schema",
    [
        '"string"',
        '["null", "string"]',
        '{"type": "array", "items": "string"}',
        '{"type": "enum", "name": "packshot.CatalogChanged", "symbols": ["A"]}',
        '{"type": "record", "name": "packshot.CatalogChanged", "fields": [{"name": "a", "type": "other.Unknown"}]}',
        '{"type": "record"}',
        "no JSON",
        "[" * 100_000,
        "null",
        "7",
    ],
)
def test_what_is_no_record_of_ours_is_an_unknown_schema(desk: Desk, registered: Codec, schema: str) -> None:
    identity = desk.add(schema)
    with pytest.raises(codec.UnknownSchema):
        registered.decode(b"\x00" + identity.to_bytes(4, "big") + b"\x02")


EMPTY = {"type": "record", "name": "Empty", "fields": []}


@pytest.mark.parametrize(
    "more",
    [
        {"type": "array", "items": "null"},
        {"type": "array", "items": {"type": "null", "logicalType": "x"}},
        {"type": "array", "items": EMPTY},
        {"type": "array", "items": {"type": "record", "name": "Within", "fields": [{"name": "a", "type": EMPTY}]}},
        {"type": "array", "items": {"type": "fixed", "name": "Nothing", "size": 0}},
        {"type": "array", "items": ["null", {"type": "map", "values": {"type": "array", "items": "null"}}]},
        {"type": "array", "items": {"type": "record", "name": "R", "fields": [
            {"name": "byte", "type": "int"}, *({"name": f"n{number}", "type": "null"} for number in range(1000))
        ]}},
    ],
)  # fmt: skip
def test_a_few_bytes_never_stand_for_endless_values(desk: Desk, registered: Codec, more: object) -> None:
    """The decoder would count them one by one, and let no other thread in meanwhile."""
    newer = history.written(history.schema_of(CatalogChanged))
    newer["fields"] = [*newer["fields"], {"name": "more", "type": ["null", more]}]
    identity, body = desk.add(json.dumps(newer)), registered.encode(EVENT)[5:]
    many = b"\x02" + b"\xfe" + b"\xff" * 7 + b"\x7f" + b"\x00"  # 2^62 items and some, and the end
    with pytest.raises(codec.UnknownSchema, match="no bytes"):
        registered.decode(b"\x00" + identity.to_bytes(4, "big") + body + many)


@pytest.mark.parametrize("status", [401, 403, 407, 429, 500, 503])
def test_a_registry_that_lets_nobody_in_is_waited_for(desk: Desk, status: int) -> None:
    desk.status = status
    with pytest.raises(Unavailable):
        Codec(Registry(desk.url)).encode(EVENT)
    with pytest.raises(Unavailable):
        Codec(Registry(desk.url)).decode(b"\x00\x00\x00\x00\x01rest")


def test_codecs_of_two_registries_know_nothing_of_each_other(desk: Desk, registered: Codec) -> None:
    other = Codec(Registry("http://127.0.0.1:9"))
    unknown = history.written(history.schema_of(CatalogChanged)) | {"doc": "of the first registry only"}
    identity = desk.add(json.dumps(unknown))
    framed = b"\x00" + identity.to_bytes(4, "big") + codec.encode(EVENT)[5:]
    assert registered.decode(framed) == EVENT
    with pytest.raises(Unavailable):
        other.decode(framed)
    with pytest.raises(codec.UnknownSchema):
        codec.decode(framed)


def test_what_is_written_and_read_goes_by_the_registry_of_the_settings(desk: Desk) -> None:
    of_settings = codec_of(Settings(schema_registry_url=desk.url))
    record = outgoing(EVENT, "test", codec=of_settings)
    assert int.from_bytes(record.value[1:5], "big") == 1
    delivery = Delivery(record.topic, 0, 0, record.key, record.value, record.headers)
    assert event_in(delivery, of_settings) == EVENT
    assert codec_of(Settings(schema_registry_url=None)) == codec.HASHED


@pytest.mark.parametrize("package", ["streams", "gpu_workers"])
def test_whoever_reads_or_writes_events_says_by_which_codec(package: str) -> None:
    """A forgotten one would go by hashes where the others go by the registry."""
    assert list(calls(ROOT / package)) == []


def calls(folder: Path) -> Iterator[str]:
    """The places where a record is made or read without a codec, of which there are to be none."""
    for file in folder.rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in WITH_CODEC:
                given = {keyword.arg for keyword in node.keywords}
                if "codec" not in given and len(node.args) < WITH_CODEC[node.func.id]:
                    yield f"{file.relative_to(ROOT)}:{node.lineno}"


def test_credentials_in_the_url_are_sent_and_not_shown(desk: Desk) -> None:
    url = desk.url.replace("//", "//ada:secret@")
    desk.status = 401
    with pytest.raises(Unavailable) as caught:
        Registry(url).id_of(Task, "t")
    assert desk.authorization == f"Basic {base64.b64encode(b'ada:secret').decode()}"
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(("status", "error"), [(409, Refused), (422, Refused), (503, Unavailable), (429, Unavailable)])
def test_refusals_and_outages_are_distinguished(desk: Desk, status: int, error: type[Exception]) -> None:
    desk.status = status
    with pytest.raises(error, match=str(status)):
        Registry(desk.url).id_of(Task, "t")


def test_a_registry_that_is_away_is_waited_for() -> None:
    with pytest.raises(Unavailable, match="does not answer"):
        Registry("http://127.0.0.1:9").schema(1)
