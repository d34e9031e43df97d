"""The pools by name: what each does with a task, with its engines open."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from typing import TYPE_CHECKING

from gpu_workers.operations.cutout import cutout as cutting
from gpu_workers.operations.cutout.operation import find_people
from gpu_workers.pools import compose, cutout
from gpu_workers.pools.memory import memory_budget
from gpu_workers.pools.outputs import code_fingerprint
from gpu_workers.pools.rules import rules_that_count
from gpu_workers.reading.opening import SMALL_SIDE_PX, open_reader
from gpu_workers.serving.model_registry import ModelRegistry
from gpu_workers.worker import Work
from schemas.operations import OPERATIONS
from streams.blobs import Blobs
from streams.facts import Database
from streams.runtime.settings import Settings

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

Opener = Callable[[Settings, Blobs, "S3Client | None", Database], AbstractContextManager[Work]]


class UnknownPool(ValueError):
    """There is no pool of that name."""


@contextmanager
def _cutout(settings: Settings, blobs: Blobs, s3: "S3Client | None", database: Database) -> Iterator[Work]:
    models = ModelRegistry.of(settings, blobs, database)
    with (
        cutout.open_serving(settings, models, database) as serving,
        cutout.open_classifier(settings, models) as classifier,
    ):
        find_people(settings.weights_folder)
        cutting.warm_up()
        rules = partial(rules_that_count, database)
        with open_reader(settings.weights_folder, settings.engine, threads=settings.engine_threads) as reader:
            budget = memory_budget(settings)
            yield cutout.Cutout(settings, blobs, s3, serving, budget, rules, reader, classifier).work


@contextmanager
def _compose(settings: Settings, blobs: Blobs, _s3: "S3Client | None", database: Database) -> Iterator[Work]:
    with compose.open_enlarger(settings, ModelRegistry.of(settings, blobs, database)) as enlarger:
        rules = partial(rules_that_count, database)
        with open_reader(settings.weights_folder, settings.engine, SMALL_SIDE_PX, settings.engine_threads) as reader:
            library = partial(compose.library, settings, enlarger, reader)
            yield compose.Compose(blobs, library, memory_budget(settings), rules).work


POOLS: Mapping[str, Opener] = {"cutout": _cutout, "compose": _compose}


def open_pool(
    pool: str, settings: Settings, blobs: Blobs, s3: "S3Client | None", database: Database
) -> AbstractContextManager[Work]:
    """The work of a pool, with its engines open for as long as the block lasts. Raises UnknownPool."""
    if pool not in POOLS:
        raise UnknownPool(f"there is no pool {pool!r}; there are {', '.join(POOLS)}")
    for operation in [name for name, each in OPERATIONS.items() if each.pool == pool]:
        code_fingerprint(operation)  # takes some tenths of a second, which no task is to wait for
    return POOLS[pool](settings, blobs, s3, database)
