"""What networks said of a photograph is not asked again when a person has it cut out otherwise."""

from pathlib import Path

import numpy as np
from msgspec.structs import replace

from gpu_workers.imaging.types import Code, Plane
from gpu_workers.imaging.writing import Points
from gpu_workers.pools.answers import SUBJECT, Answers, answers_id, keep, known_answers
from gpu_workers.reading.reader import Reader
from gpu_workers.reading.recognising import Recognised
from gpu_workers.results import Results
from gpu_workers.worker import Worker
from schemas import retouching
from schemas.records import Source, Step, Task, TaskCompleted
from schemas.releases import ModelSplit
from schemas.retouching import Box, Retouch
from streams.blobs import Blobs
from streams.facts import Database
from tests.gpu_workers.worker_parts import PRICES, completed, cutout_work, photograph, task
from tests.memory_store import MemoryStore

MARKS = Retouch(marks=[Box(left=0.1, top=0.1, right=0.5, bottom=0.9, keep=True)])


def cutout_task(folder: Path, **parameters: str) -> Task:
    return task(Step(operation="cutout", parameters=parameters), source=Source(uri=photograph(folder).as_uri()))


def cut(folder: Path, blobs: Blobs, database: Database, *tasks: Task, model: str = "disc@1") -> list[TaskCompleted]:
    with cutout_work(folder, blobs, ModelSplit((model,))) as work:
        worker = Worker("cutout", work, Results(blobs), database, PRICES)
        return [completed(worker, each) for each in tasks]


def engine_ms(event: TaskCompleted) -> float:
    return sum(each.engine_ms for each in event.costs.values())


def test_a_retouch_asks_no_network_and_gives_the_same_as_if_it_did(
    tmp_path: Path, blobs: Blobs, database: Database
) -> None:
    strokes = blobs.put(retouching.written(MARKS))
    plain, mended = cut(tmp_path, blobs, database, cutout_task(tmp_path), cutout_task(tmp_path, retouch=strokes))
    assert engine_ms(plain) > 0
    assert engine_ms(mended) == 0
    assert not mended.cached
    assert mended.model == plain.model == "disc@1", "what was seen was seen by it"
    afresh = Blobs(MemoryStore())
    afresh.put(retouching.written(MARKS))
    (alone,) = cut(tmp_path, afresh, database, cutout_task(tmp_path, retouch=strokes))
    assert engine_ms(alone) > 0
    assert alone.outputs == mended.outputs
    assert alone.measures == mended.measures


def test_another_network_is_asked_anew(tmp_path: Path, blobs: Blobs, database: Database) -> None:
    strokes = blobs.put(retouching.written(MARKS))
    cut(tmp_path, blobs, database, cutout_task(tmp_path))
    (mended,) = cut(tmp_path, blobs, database, cutout_task(tmp_path, retouch=strokes), model="larger@1")
    assert engine_ms(mended) > 0


def test_answers_that_were_pruned_are_asked_again(tmp_path: Path, blobs: Blobs, database: Database) -> None:
    strokes = blobs.put(retouching.written(MARKS))
    first, before = cut(tmp_path, blobs, database, cutout_task(tmp_path), cutout_task(tmp_path, retouch=strokes))
    for key, _ in list(blobs.store.written("results/")):
        blobs.store.delete(key)
    (again,) = cut(tmp_path, blobs, database, replace(cutout_task(tmp_path, retouch=strokes), task_id="c" * 64))
    assert engine_ms(again) > 0
    assert again.outputs == before.outputs != first.outputs


def test_every_kind_of_answer_is_the_same_to_the_bit(blobs: Blobs) -> None:
    calls: list[str] = []

    def sees(rgb: Code) -> Plane:
        calls.append("sees")
        return np.random.default_rng(int(rgb.sum())).random((31, 17)).astype(np.float32)

    def find(rgb: Code) -> list[Points]:
        calls.append("find")
        return [np.arange(8, dtype=np.float64).reshape(4, 2) / 3] * int(rgb[0, 0, 0])

    def recognise(line: Code) -> Recognised:
        calls.append("recognise")
        return Recognised(f"Größe {line[0, 0, 0]} ✓", 1 / 3)

    pictures = [np.full((5, 7, 3), code, np.uint8) for code in (0, 1, 2)]
    reader = Reader(find, recognise, "r")
    found = []
    for _ in range(2):
        answers = known_answers(blobs, answers_id("a" * 64, "engine", reader))
        see, read = answers.seeing(SUBJECT, sees), answers.reading(reader)
        found.append([(see(each), read.find(each), read.recognise(each)) for each in pictures])
        keep(blobs, answers_id("a" * 64, "engine", reader), answers)
    assert len(calls) == 9
    for (mask, points, said), (mask_again, points_again, said_again) in zip(*found, strict=True):
        np.testing.assert_array_equal(mask, mask_again)
        np.testing.assert_array_equal(np.array(points), np.array(points_again))
        assert said == said_again
        mask_again += 1  # an answer is the asker's own
    assert Answers().are_given(SUBJECT) is False
