"""A cutout of which nothing is made is not measured for what would be made of it, and is a result of its own."""

from pathlib import Path

import numpy as np

from gpu_workers.operations.base import SourceRequest, pixel_half
from gpu_workers.results import Results
from gpu_workers.sources.decoding import Picture
from gpu_workers.worker import Worker
from schemas.records import Source, Step
from schemas.releases import ModelSplit
from streams.blobs import Blobs
from streams.facts import Database
from tests.gpu_workers.worker_parts import PRICES, completed, cutout_work, photograph, task

PACKSHOT = Step(operation="packshot", asset="amazon-1", channel="amazon")
JUDGED_BY = {"ground_taken", "product_left", "odd_part"}  # of what the cutout left of its photograph
HALF = pixel_half("cutout", "cutout")


def request(*, leads_on: bool) -> SourceRequest:
    return SourceRequest({}, "", lambda rgb: (rgb.min(axis=2) < 200).astype(np.float32), leads_on=leads_on)


def picture() -> Picture:
    rgb = np.full((160, 160, 3), 245, np.uint8)
    rgb[40:120, 40:120] = (150, 30, 30)
    return Picture(rgb, "image/png", 8, False, "", 1, 1)


def test_only_what_leads_on_is_measured_for_it() -> None:
    whole, alone = HALF.run([picture()], request(leads_on=True)), HALF.run([picture()], request(leads_on=False))
    assert JUDGED_BY & set(whole.measures)
    assert not JUDGED_BY & set(alone.measures)
    assert alone.measures["uncertainty"] == whole.measures["uncertainty"]
    assert (alone.canvas == whole.canvas).all()


def test_both_are_results_of_their_own(tmp_path: Path, blobs: Blobs, database: Database) -> None:
    source = Source(uri=photograph(tmp_path).as_uri())
    steps = (Step(operation="cutout"), Step(operation="cutout", next=[PACKSHOT]), Step(operation="cutout"))
    with cutout_work(tmp_path, blobs, ModelSplit(("disc@1",))) as work:
        worker = Worker("cutout", work, Results(blobs), database, PRICES)
        alone, whole, again = [completed(worker, task(step, source=source)) for step in steps]
    assert alone.result_id != whole.result_id
    assert again.result_id == alone.result_id
    assert [each.cached for each in (alone, whole, again)] == [False, False, True]
    assert set(alone.measures) < set(whole.measures)
