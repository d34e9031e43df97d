"""One picture, now: over a stand-in for Kafka, with the worker's own code on networks that see a disc."""

import io
import threading
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import TopicPartition
from litestar.testing import TestClient
from litestar.types import ASGIApp
from PIL import Image

from gpu_workers.metering import Meter
from gpu_workers.pools import compose
from gpu_workers.results import Result, Results
from gpu_workers.worker import Work, Worker
from schemas import codec, topics
from schemas.records import Task
from streams.api.app import build
from streams.api.gateway import Gateway
from streams.blobs import Blobs
from streams.consumer import replies as addresses
from streams.consumer.clients import NotAcknowledged
from streams.consumer.letters import Delivery, Outgoing
from streams.consumer.work import Wait
from streams.facts import Database
from streams.runtime.clock import now_ms
from streams.runtime.errors import Refused
from streams.runtime.settings import Settings
from streams.services import keys
from streams.services.pictures import KNOWN_MS, Pictures
from streams.services.progress import Progress
from streams.services.replies import Replies
from tests.gpu_workers.worker_parts import PRICES, ROOM, cutout_work, photograph

Client = TestClient[ASGIApp]
SOON_S = 120


class Workers:
    """A sender behind which a worker of each pool works at once, when it is let; `times` says how often it answers."""

    def __init__(self, replies: Replies, workers: dict[str, Worker]) -> None:
        self.tasks: list[Task] = []
        self.written: list[Outgoing] = []
        self.let = threading.Event()
        self.let.set()
        self.is_away = False
        self.times = 1
        self._replies = replies
        self._workers = workers

    def send(self, records: Sequence[Outgoing]) -> None:
        if self.is_away:
            raise NotAcknowledged("no broker")
        for record in records:
            task = codec.decode(record.value)
            assert isinstance(task, Task)
            self.tasks.append(task)
            threading.Thread(target=self._work, args=[record], daemon=True).start()

    def _work(self, record: Outgoing) -> None:
        assert self.let.wait(SOON_S)
        worker = self._workers[record.topic.split(".")[2]]
        delivery = Delivery(record.topic, 0, 0, record.key, record.value, record.headers)
        for _ in range(self.times):
            try:
                written = worker.handle(delivery, Wait())
            except Refused as refusal:
                written = worker.give_up(delivery, refusal)
            self.written += written
            for each in written:
                self._replies.tell(Delivery(each.topic, each.partition or 0, 0, each.key, each.value, each.headers))


def place() -> TopicPartition:
    return TopicPartition(topics.REPLIES.name, 3, 0)


@pytest.fixture
def replies(settings: Settings) -> Iterator[Replies]:
    opened = Replies(settings, place())
    yield opened
    opened.close()


@pytest.fixture
def workers(tmp_path: Path, replies: Replies, database: Database, blobs: Blobs) -> Iterator[Workers]:
    def library() -> Any:
        return compose.library(Settings())

    with cutout_work(tmp_path, blobs) as cutting:
        pools: dict[str, Work] = {"cutout": cutting, "compose": compose.Compose(blobs, library, ROOM).work}
        made = {name: Worker(name, work, Results(blobs), database, PRICES) for name, work in pools.items()}
        yield Workers(replies, made)


@pytest.fixture
def gateway(settings: Settings, database: Database, blobs: Blobs, workers: Workers, replies: Replies) -> Gateway:
    return Gateway(settings, database, workers, Progress(settings), Pictures(database, blobs, replies, workers))


@pytest.fixture
def photo(tmp_path: Path) -> bytes:
    return photograph(tmp_path).read_bytes()


def post(client: Client, what: str, photo: bytes, accept: str = "*/*", wait_s: int = 60, **query: str) -> Any:
    headers = {"Content-Type": "image/png", "Prefer": f"wait={wait_s}", "Accept": accept}
    return client.post(f"/v1/{what}", content=photo, params=query, headers=headers)


def test_a_cutout_is_answered_as_a_picture_and_of_no_product(demo: Client, workers: Workers, photo: bytes) -> None:
    answer = post(demo, "cutouts", photo)
    assert answer.status_code == 200, answer.text
    picture = Image.open(io.BytesIO(answer.content))
    assert (answer.headers["content-type"], picture.mode, picture.size) == ("image/png", "RGBA", (200, 200))
    assert (answer.headers["x-packshot-model"], float(answer.headers["x-packshot-engine-ms"]) > 0) == ("disc@1", True)
    assert 0 <= float(answer.headers["x-packshot-uncertainty"]) <= 1
    (task,) = workers.tasks
    assert (task.lane, task.source, len(task.inputs)) == ("urgent", None, 1)
    (written,) = workers.written
    assert (written.topic, written.partition) == (topics.REPLIES.name, 3)


@pytest.mark.parametrize("way", ["raw", "form", "address"])
def test_a_photograph_comes_as_a_body_in_a_form_or_by_its_address(
    way: str, demo: Client, gateway: Gateway, workers: Workers, photo: bytes, tmp_path: Path
) -> None:
    query = {"channel": "amazon", "padding": "0.1"}
    headers = {"Prefer": "wait=60", "Accept": "application/json"}
    if way == "raw":
        answer = demo.post("/v1/packshots", content=photo, params=query, headers=headers)
    elif way == "form":
        answer = demo.post("/v1/packshots", files={"image": ("a.png", photo)}, data=query, headers=headers)
    else:
        gateway.settings.source_file_roots.append(str(tmp_path))
        source = {"uri": (tmp_path / "photo.png").as_uri()}
        body = {"source": source, "channel": "amazon", "parameters": {"padding": 0.1}}
        answer = demo.post("/v1/packshots", json=body, headers=headers)
    assert answer.status_code == 200, answer.text
    told = answer.json()
    assert (told["state"], told["file"]["width_px"] > 1000) == ("done", True)
    assert told["verdict"]["rules"].endswith(answer.headers["x-packshot-rules"].partition(",")[2])
    assert told["verdict"]["outcome"] == answer.headers["x-packshot-verdict"]
    assert told["measures"]["cutout.uncertainty"] == told["uncertainty"]
    assert [task.step.operation for task in workers.tasks] == ["cutout", "packshot"]
    assert workers.tasks[1].step.parameters == {"padding": "0.1"}


def test_what_was_made_is_known_without_asking_anybody(demo: Client, workers: Workers, photo: bytes) -> None:
    first = post(demo, "cutouts", photo)
    workers.is_away = True
    again = post(demo, "cutouts", photo)
    assert (again.status_code, again.content) == (200, first.content)
    assert (again.headers["x-packshot-cost-nanos"], len(workers.tasks)) == ("0", 1)
    assert post(demo, "cutouts", photo, speckle_share="0.01").status_code == 503


def test_what_takes_longer_is_found_later_at_another_gateway(
    demo: Client, key: str, gateway: Gateway, workers: Workers, photo: bytes
) -> None:
    workers.let.clear()
    answer = post(demo, "cutouts", photo, wait_s=0)
    assert (answer.status_code, answer.json()["state"]) == (202, "working")
    assert answer.headers["retry-after"] == "1"
    assert post(demo, "cutouts", photo, wait_s=0).headers["location"] == answer.headers["location"]
    path = answer.headers["location"].removeprefix(gateway.settings.gateway)
    assert demo.get(path).status_code == 202
    workers.let.set()
    made = post(demo, "cutouts", photo)
    assert len(workers.tasks) == 1
    beside = Pictures(gateway.database, gateway.pictures.blobs, Replies(gateway.settings), workers)
    other = replace(gateway, pictures=beside)
    with TestClient(build(other)) as elsewhere:
        found = elsewhere.get(path, headers={"Authorization": f"Bearer {key}"})
    assert (found.status_code, found.content) == (200, made.content)


def test_an_answer_that_comes_twice_or_to_nobody_does_no_harm(
    demo: Client, workers: Workers, replies: Replies, photo: bytes
) -> None:
    workers.times = 2
    assert post(demo, "cutouts", photo).status_code == 200
    replies.tell(Delivery(topics.REPLIES.name, 3, 9, b"x", b"no event", [(addresses.CORRELATION, b"unheard of")]))
    assert post(demo, "cutouts", photo, speckle_share="0.01").status_code == 200


def test_a_worker_that_refuses_answers_with_its_code(
    demo: Client, workers: Workers, photo: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_task: Task, _results: Results, _meter: Meter) -> tuple[str, Result, bool]:
        raise Refused("empty_cutout", "nothing stands out", field="source")

    monkeypatch.setattr(workers._workers["cutout"], "_work", refuse)
    answer = post(demo, "packshots", photo, channel="amazon")
    assert (answer.status_code, answer.json()["code"], answer.json()["field"]) == (422, "empty_cutout", "source")
    assert len(workers.tasks) == 1


def test_work_that_is_too_late_to_begin_is_not_begun(
    demo: Client, workers: Workers, photo: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gpu_workers.worker.time.time", lambda: now_ms() / 1000 + 61)
    answer = post(demo, "cutouts", photo)
    assert (answer.status_code, answer.json()["code"], answer.json()["retryable"]) == (504, "too_late", True)
    assert workers.tasks[0].deadline_ms is not None


def test_a_broker_that_is_away_is_said_and_the_same_again_works(demo: Client, workers: Workers, photo: bytes) -> None:
    workers.is_away = True
    answer = post(demo, "cutouts", photo)
    assert (answer.status_code, answer.json()["retryable"]) == (503, True)
    assert answer.headers["retry-after"]
    workers.is_away = False
    assert post(demo, "cutouts", photo).status_code == 200


@pytest.mark.parametrize(
    ("what", "query", "code"),
    [
        ("cutouts", {"speckle": "1"}, "bad_parameters"),
        ("packshots", {}, "unknown_channel"),
        ("packshots", {"channel": "nowhere"}, "unknown_channel"),
        ("mockups", {"channel": "web", "seed": "x"}, "bad_parameters"),
    ],
)
def test_what_is_wrong_is_said_before_any_work(
    what: str, query: dict[str, str], code: str, demo: Client, workers: Workers, photo: bytes
) -> None:
    answer = post(demo, what, photo, **query)
    assert (answer.status_code, answer.json()["code"]) == (422, code)
    assert workers.tasks == []


def test_what_is_no_picture_or_too_large_or_not_to_be_fetched_is_refused(
    demo: Client, workers: Workers, photo: bytes, settings: Settings
) -> None:
    assert post(demo, "cutouts", b"%PDF-1.7").status_code == 422
    assert post(demo, "cutouts", b"").status_code == 422
    body = {"source": {"uri": "file:///etc/hostname"}}
    assert demo.post("/v1/cutouts", json=body).json()["code"] == "source_not_allowed"
    assert demo.post("/v1/cutouts", content=photo, headers={"Content-Type": "text/html"}).status_code == 415
    object.__setattr__(settings, "source_max_bytes", len(photo) - 1)
    assert post(demo, "cutouts", photo).json()["code"] == "body_too_large"
    assert demo.post("/v1/cutouts", files={"image": ("a.png", photo)}).json()["code"] == "body_too_large"
    assert workers.tasks == []


def test_a_test_key_makes_no_pictures_and_is_counted(
    client: Client, database: Database, workers: Workers, photo: bytes
) -> None:
    text, _ = keys.create(database, "trial", ("demo",), mode="test")
    client.headers["Authorization"] = f"Bearer {text}"
    answer = post(client, "cutouts", photo)
    assert (answer.status_code, answer.json()["code"]) == (403, "live_key_required")
    assert workers.tasks == []


def test_a_job_is_asked_for_anew_after_a_while(
    demo: Client, workers: Workers, photo: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    post(demo, "cutouts", photo)
    later_ms = now_ms() + KNOWN_MS + 1000
    monkeypatch.setattr("streams.services.pictures.now_ms", lambda: later_ms)
    assert post(demo, "cutouts", photo).status_code == 200
    assert len(workers.tasks) == 2
