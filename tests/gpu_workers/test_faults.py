"""Engines that run out of memory, lose their device and answer with what is no number: no task is lost."""

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from random import Random

import numpy as np
import pytest
from msgspec.structs import replace
from PIL import Image, ImageDraw

from gpu_workers.engines import EngineError, EngineOutOfMemory, Tensor
from gpu_workers.metering import Prices
from gpu_workers.models.manifest import load_manifest
from gpu_workers.pools import cutout as cutout_pool
from gpu_workers.pools.admission import Budget
from gpu_workers.results import Results
from gpu_workers.serving.batching import Batcher
from gpu_workers.serving.serving import Network, Serving
from gpu_workers.worker import Worker
from schemas import codec, topics
from schemas.identity import content_id
from schemas.records import Source, Step, Task, TaskCompleted, TaskFailed
from schemas.releases import ModelSplit
from streams.blobs import Blobs
from streams.consumer.letters import Delivery, Outgoing, RetryPolicy, outgoing, returned
from streams.consumer.work import Wait
from streams.facts import Database
from streams.runtime.errors import Refused
from streams.runtime.settings import Settings
from tests.memory_store import MemoryStore
from tests.streams.flow import upsert

ROOM = Budget(2**33)
TASKS = 24
POISON = (7, 23)
THREADS = 6
# The last tries outlast the opening of a device anew on a machine that is busy.
POLICY = RetryPolicy((20, 40, 80, 160, 320, 640, 1_280, 2_560, 5_120))


class Flaky:
    """Sees a disc; now and then it has no memory or its device is lost, and what is blue makes it answer nonsense."""

    name = "moody"
    fingerprint = "0" * 64
    input_shape = (3, 320, 320)
    max_batch = 8
    lanes = 1
    faults = {"memory": 0, "lost": 0}  # noqa: RUF012

    def __init__(self, random: Random) -> None:
        self._random = random
        self._is_lost = False

    def infer(self, batch: Tensor) -> Tensor:
        if self._is_lost:
            raise EngineError("the device is lost")
        if batch.any():  # the batcher asks with a blank whether the engine is well
            if len(batch) > 1 and (not self.faults["memory"] or self._random.random() < 0.3):
                self.faults["memory"] += 1
                raise EngineOutOfMemory("no memory")
            if not self.faults["lost"] or self._random.random() < 0.1:
                self._is_lost = True
                self.faults["lost"] += 1
                raise EngineError("the device is lost")
        y, x = np.mgrid[:320, :320]
        disc = ((x - 160) ** 2 + (y - 160) ** 2 < 90**2).astype(np.float32)
        answers = np.repeat(disc[None, None], len(batch), axis=0)
        is_blue = batch[:, 2].mean(axis=(1, 2)) > batch[:, 0].mean(axis=(1, 2)) + 0.2
        answers[is_blue] = np.nan
        return answers

    def close(self) -> None: ...


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    opened = Database(f"sqlite:///{tmp_path}/facts.db")
    opened.create_tables()
    with opened.begin() as facts:
        facts.products.put(upsert())
    yield opened
    opened.close()


def photograph(folder: Path, number: int) -> Path:
    colour = (30, 40, 250) if number in POISON else (180, 40 + number, 50)
    picture = Image.new("RGB", (160, 160), colour if number in POISON else (225, 225, 228))
    ImageDraw.Draw(picture).ellipse((36, 36, 124, 124), fill=colour)
    picture.save(folder / f"{number}.png")
    return folder / f"{number}.png"


def task(file: Path) -> Task:
    source = Source(uri=file.as_uri())
    identity = content_id("task", file.name)
    step = Step(operation="cutout")
    return Task(task_id=identity, tenant="demo", sku="A", version=1, lane="bulk", step=step, source=source)


def delivered(record: Outgoing, offset: int) -> Delivery:
    return Delivery(record.topic, 0, offset, record.key, record.value, list(record.headers))


class Desk:
    """Hands deliveries to a worker until each has ended, as the executor does: a refusal is retried, or is dead."""

    def __init__(self, worker: Worker) -> None:
        self._worker = worker
        self._lock = threading.Lock()
        self.done: dict[str, TaskCompleted] = {}
        self.failed: dict[str, TaskFailed] = {}
        self.dead: list[Outgoing] = []

    def work_on(self, delivery: Delivery) -> None:
        while True:
            try:
                answers = self._worker.handle(delivery, Wait())
                break
            except Refused as refusal:
                letter = POLICY.letter(delivery, refusal, 0)
                if letter.topic == topics.DEAD.name:
                    answers = self._worker.give_up(delivery, refusal)
                    with self._lock:
                        self.dead.append(letter)
                    break
                # A try that does not wait is used up while the device is still being opened anew.
                time.sleep(int(letter.topic.removeprefix(topics.RETRY_PREFIX).removesuffix("ms")) / 1000)
                delivery = delivered(returned(delivered(letter, 0)), delivery.offset)
        for answer in answers:
            event = codec.decode(answer.value)
            assert isinstance(event, TaskCompleted | TaskFailed)
            with self._lock:
                (self.done if isinstance(event, TaskCompleted) else self.failed)[event.task.task_id] = event  # type: ignore[assignment]


@pytest.mark.parametrize("seed", [0, *(pytest.param(seed, marks=pytest.mark.long) for seed in (1, 2))])
def test_every_task_ends_and_only_what_is_poison_dies(tmp_path: Path, database: Database, seed: int) -> None:
    random = Random(seed)
    Flaky.faults.update(memory=0, lost=0)
    blobs = Blobs(MemoryStore())
    model = replace(load_manifest("u2netp@1"), name="moody")
    tasks = [task(photograph(tmp_path, number)) for number in range(TASKS)]

    def open_network(_ref: str) -> Network:
        engine = Flaky(random)
        return Network(model, engine, Batcher(engine, max_batch=8, max_wait_ms=20))

    serving = Serving(lambda: ModelSplit((model.ref,)), open_network, look_every_s=0.01)
    work = cutout_pool.Cutout(Settings(source_file_roots=[str(tmp_path)]), blobs, None, serving, ROOM).work
    desk = Desk(Worker("cutout", work, Results(blobs), database, Prices()))
    with ThreadPoolExecutor(THREADS) as threads:
        records = [delivered(outgoing(each, "test"), offset) for offset, each in enumerate(tasks)]
        list(threads.map(desk.work_on, records))
    serving.close()

    poison = {tasks[number].task_id for number in POISON}
    assert desk.failed.keys() == poison
    assert {event.code for event in desk.failed.values()} == {"poison_input"}
    assert desk.done.keys() == {each.task_id for each in tasks} - poison
    assert len(desk.dead) == len(POISON)
    assert Flaky.faults["memory"] > 0
    assert Flaky.faults["lost"] > 0
