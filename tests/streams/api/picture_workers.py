"""What orders of pictures meet in tests: a stand-in for Kafka, and the workers' code on networks that see a disc."""

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from litestar.testing import TestClient
from litestar.types import ASGIApp

from gpu_workers.pools import compose
from gpu_workers.results import Results
from gpu_workers.worker import Work, Worker
from schemas import codec
from schemas.codec import HASHED
from schemas.operations.base import Pool
from schemas.records import Task
from streams.blobs import Blobs
from streams.consumer.clients import NotAcknowledged
from streams.consumer.letters import Delivery, Outgoing
from streams.consumer.work import Wait
from streams.facts import Database
from streams.runtime.errors import Refused
from streams.runtime.settings import Settings
from streams.services.ordering.replies import Replies
from tests.gpu_workers.worker_parts import PRICES, ROOM, cutout_work

Client = TestClient[ASGIApp]
SOON_S = 120


class Workers:
    """A sender behind which a worker of each pool works at once, when it is let; `times` says how often it answers, and
    `others` how much waits that other gateways have asked."""

    codec = HASHED

    def __init__(self, replies: Replies, workers: dict[str, Worker]) -> None:
        self.tasks: list[Task] = []
        self.written: list[Outgoing] = []
        self.let = threading.Event()
        self.let.set()
        self.is_away = False
        self.times = 1
        self.others: dict[Pool, int] = {}
        self._replies = replies
        self.by_pool = workers

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
        worker = self.by_pool[record.topic.split(".")[2]]
        delivery = Delivery(record.topic, 0, 0, record.key, record.value, record.headers)
        for _ in range(self.times):
            try:
                written = worker.handle(delivery, Wait())
            except Refused as refusal:
                written = worker.give_up(delivery, refusal)
            self.written += written
            for each in written:
                self._replies.tell(Delivery(each.topic, each.partition or 0, 0, each.key, each.value, each.headers))


@contextmanager
def workers_of(
    settings: Settings, folder: Path, blobs: Blobs, database: Database, replies: Replies
) -> Iterator[Workers]:
    """Workers of both pools, while the block lasts."""

    def library() -> Any:
        return compose.library(settings)

    with cutout_work(folder, blobs) as cutting:
        pools: dict[str, Work] = {"cutout": cutting, "compose": compose.Compose(blobs, library, ROOM).work}
        made = {name: Worker(name, work, Results(blobs), database, PRICES) for name, work in pools.items()}
        yield Workers(replies, made)


WAIT_S, ASKED_AGAIN = 60, 9


def post(client: Client, what: str, photo: bytes, accept: str = "*/*", wait_s: int = WAIT_S, **query: Any) -> Any:
    headers = {"Content-Type": "image/png", "Prefer": f"wait={wait_s}", "Accept": accept}
    answer = client.post(f"/v1/{what}", content=photo, params=query, headers=headers)
    for _ in range(ASKED_AGAIN if wait_s == WAIT_S else 0):  # a machine may be busy; the same again is the same job
        if answer.status_code != 202:
            break
        answer = client.post(f"/v1/{what}", content=photo, params=query, headers=headers)
    return answer
