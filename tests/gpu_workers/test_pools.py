"""Which pools there are, and what the cutout pool makes of deadlines and lanes."""

import time
from typing import Any, cast

import pytest

from gpu_workers.pools import registry
from gpu_workers.pools.cutout import _wanted_by
from schemas.operations.base import POOLS
from schemas.records import LANES, Lane, Step, Task


def task(lane: Lane = "standard", deadline_ms: int | None = None) -> Task:
    step = Step(operation="cutout", asset="cutout")
    return Task(task_id="0" * 64, tenant="t", sku="s", version=1, lane=lane, step=step, deadline_ms=deadline_ms)


def test_urgent_is_wanted_before_standard_and_standard_before_bulk() -> None:
    wanted = [_wanted_by(task(lane)) for lane in LANES]
    assert wanted == sorted(wanted)
    assert wanted[0] + 60 < wanted[1]


@pytest.mark.parametrize("lane", LANES)
def test_a_deadline_of_its_own_counts_where_it_is_earlier(lane: Lane) -> None:
    assert _wanted_by(task(lane, int(time.time() * 1000) + 9000)) <= time.monotonic() + 9
    assert _wanted_by(task(lane, int(time.time() * 1000) + 9_000_000)) < time.monotonic() + 1000


def test_every_pool_with_topics_can_be_opened_and_no_other() -> None:
    assert set(registry.POOLS) == set(POOLS)
    with pytest.raises(registry.UnknownPool, match="'generate'; there are cutout, compose"):
        registry.open_pool("generate", *cast(Any, [None] * 4))
