"""A worker's parts, with networks that see a disc."""

import io
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from msgspec.structs import replace
from PIL import Image, ImageDraw

from gpu_workers.engines import EngineError, Tensor
from gpu_workers.metering import Prices
from gpu_workers.models.manifest import load_manifest
from gpu_workers.pools import cutout as cutout_pool
from gpu_workers.pools import outputs
from gpu_workers.pools.admission import Budget
from gpu_workers.serving.batching import Batcher
from gpu_workers.serving.serving import Network, Serving
from gpu_workers.worker import Work, Worker
from schemas import codec
from schemas.records import Blob, Step, Task, TaskCompleted
from schemas.releases import ModelSplit
from streams.blobs import Blobs
from streams.consumer.letters import Delivery, outgoing
from streams.consumer.work import Wait
from streams.runtime.settings import Settings

ROOM = Budget(2**33)


PRICES = Prices(engine_hour=3600.0, cpu_hour=36.0, fetched_gb=1.0, stored_gb=1.0)


class Disc:
    """A network that sees a disc in every picture."""

    name = "disc"
    fingerprint = "0" * 64
    input_shape = (3, 320, 320)
    max_batch = 4
    lanes = 1
    radius = 90

    def infer(self, batch: Tensor) -> Tensor:
        y, x = np.mgrid[:320, :320]
        disc = ((x - 160) ** 2 + (y - 160) ** 2 < self.radius**2).astype(np.float32)
        return np.repeat(disc[None, None], len(batch), axis=0)

    def close(self) -> None: ...


class Larger(Disc):
    """One that sees a larger disc."""

    fingerprint = "1" * 64
    radius = 100


class Lost(Disc):
    """One whose device is lost."""

    fingerprint = "2" * 64

    def infer(self, batch: Tensor) -> Tensor:
        raise EngineError(f"no device for {len(batch)} pictures")


class NotANumber(Disc):
    """One that answers a picture, but not a blank, with what is no number."""

    fingerprint = "3" * 64

    def infer(self, batch: Tensor) -> Tensor:
        return super().infer(batch) * (np.nan if batch.any() else 1)


ENGINES = {"disc@1": Disc, "larger@1": Larger, "lost@1": Lost, "nan@1": NotANumber}


def network(ref: str) -> Network:
    name, _, version = ref.partition("@")
    model = replace(load_manifest("u2netp@1"), name=name, version=version)
    engine = ENGINES[ref]()
    return Network(model, engine, Batcher(engine, max_batch=4, max_wait_ms=0))


@contextmanager
def cutout_work(folder: Path, blobs: Blobs, split: ModelSplit = ModelSplit(("disc@1",))) -> Iterator[Work]:  # noqa: B008
    settings = Settings(source_file_roots=[str(folder)])
    serving = Serving(lambda: split, network)
    try:
        yield cutout_pool.Cutout(settings, blobs, None, serving, ROOM).work
    finally:
        serving.close()


def photograph(folder: Path) -> Path:
    picture = Image.new("RGB", (200, 200), "white")
    ImageDraw.Draw(picture).ellipse((45, 45, 155, 155), fill="firebrick")
    picture.save(folder / "photo.png")
    return folder / "photo.png"


def cut_out(blobs: Blobs) -> Blob:
    picture = Image.new("RGBA", (200, 200), (0, 0, 0, 0))
    ImageDraw.Draw(picture).ellipse((45, 45, 155, 155), fill="firebrick")
    file = io.BytesIO()
    picture.save(file, "PNG")
    return outputs.store(blobs, "cutout", file.getvalue(), "image/png", (200, 200, 4))


def task(step: Step, sku: str = "A", **more: object) -> Task:
    digit = {"A": "a", "B": "b"}[sku]
    return Task(task_id=digit * 64, tenant="demo", sku=sku, version=1, lane="bulk", step=step, **more)  # type: ignore[arg-type]


def completed(worker: Worker, work: Task) -> TaskCompleted:
    record = outgoing(work, "test")
    (answer,) = worker.handle(Delivery(record.topic, 0, 0, record.key, record.value, record.headers), Wait())
    event = codec.decode(answer.value)
    assert isinstance(event, TaskCompleted)
    return event
