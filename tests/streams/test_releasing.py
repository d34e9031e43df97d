"""Models that are added, released and recalled, as the processors and the facts have them."""

import time
from collections.abc import Mapping
from pathlib import Path

import msgspec
import pytest
from msgspec.structs import replace

from gpu_workers.models.manifest import UnknownModel, load_manifest
from gpu_workers.serving.model_registry import ModelRegistry
from schemas.records import (
    AssetPublished,
    ModelAdded,
    ModelReleased,
    PublishRequested,
    ReplanRequested,
    ReviewDecided,
    ReviewRequested,
    Shadow,
    Task,
    TaskCompleted,
)
from schemas.releases import split_of
from streams.blobs import Blobs
from tests.memory_store import MemoryStore
from tests.streams.flow import Flow, blob, done, published, upsert

MANIFEST = msgspec.yaml.encode(replace(load_manifest("u2netp@1"), name="mine", published=None)).decode()
ADDED = ModelAdded(operation="cutout", model="mine@1", manifest=MANIFEST, added_at_ms=1)


def release(stage: str, model: str = "mine@1", at_ms: int = 1, **more: object) -> ModelReleased:
    return ModelReleased(operation="cutout", model=model, stage=stage, released_at_ms=at_ms, **more)  # type: ignore[arg-type]


def releases(flow: Flow) -> list[ModelReleased]:
    with flow.database.read() as facts:
        return facts.models.releases("cutout")


def test_a_model_is_noted_once_and_never_changes(flow: Flow) -> None:
    assert flow.say(ADDED) == flow.say(ADDED) == []
    assert flow.letters(replace(ADDED, manifest="other"), attempt=9) == [("imagery.dead", "version_conflict")]
    with flow.database.read() as facts:
        assert facts.models.every() == {"mine@1": ADDED}


@pytest.mark.parametrize(
    "manifest",
    ["{", "name: mine", "a: &a [*a]", "[" * 5_000, "? [a]\n: b", "- !!int x", "when: 2026-13-99"],
)
def test_a_model_whose_manifest_is_bad_is_refused_and_keeps_no_worker_from_starting(
    flow: Flow, tmp_path: Path, manifest: str
) -> None:
    bad = replace(ADDED, model="other@1", manifest=manifest)
    assert flow.letters(bad, attempt=9) == [("imagery.dead", "bad_manifest")]
    with flow.database.begin() as facts:
        facts.models.put(ADDED)
        facts.models.put(bad)  # as it may have been noted before manifests were looked at

    def added() -> Mapping[str, ModelAdded]:
        with flow.database.read() as facts:
            return facts.models.every()

    registry = ModelRegistry(tmp_path, Blobs(MemoryStore()), added)
    assert {"mine@1", "u2netp@1"} <= registry.models().keys()
    assert "other@1" not in registry.models()
    with pytest.raises(UnknownModel):
        registry.model("other@1")


def test_a_manifest_of_another_model_is_refused(flow: Flow) -> None:
    assert flow.letters(replace(ADDED, model="other@1"), attempt=9) == [("imagery.dead", "bad_manifest")]


def test_a_release_that_comes_late_does_not_replace_one_that_was_made_after_it(flow: Flow) -> None:
    flow.say(ADDED)
    for event in (release("withdrawn", at_ms=9), release("stable", at_ms=5)):
        flow.say(event)
    assert [event.stage for event in releases(flow)] == ["stable", "withdrawn"]
    assert split_of(releases(flow), ()).stable == ()


def test_a_release_from_the_future_is_refused_and_does_not_count_for_ever(flow: Flow) -> None:
    flow.say(ADDED)
    now = time.time_ns() // 1_000_000
    ahead = release("stable", at_ms=now + 2 * 24 * 3_600_000)
    assert flow.letters(ahead, attempt=9) == [("imagery.dead", "from_the_future")]
    flow.say(release("stable", at_ms=now + 60_000))  # no two clocks are the same
    flow.say(release("withdrawn", at_ms=now + 61_000))
    assert [event.stage for event in releases(flow)] == ["stable", "withdrawn"]


def test_a_release_from_the_future_that_was_noted_once_counts_as_made_when_it_was_noted(flow: Flow) -> None:
    ahead = release("stable", at_ms=4_102_444_800_000)
    with flow.database.begin() as facts:
        facts.at(1_000_000)
        facts.models.put_release(ahead)
        facts.at(90_000_000)
        facts.models.put_release(release("withdrawn", at_ms=90_000_000))
    assert [event.stage for event in releases(flow)] == ["stable", "withdrawn"]


def test_a_model_may_not_take_the_place_of_one_that_ships(flow: Flow) -> None:
    assert flow.letters(replace(ADDED, model="u2netp@1"), attempt=9) == [("imagery.dead", "version_conflict")]


def test_releases_are_kept_in_order_and_announced_again_change_nothing(flow: Flow) -> None:
    flow.say(ADDED)
    found = [release("shadow"), release("stable", at_ms=2), release("withdrawn", at_ms=3)]
    for event in [*found, found[0]]:
        flow.say(event)
    assert releases(flow) == found


def test_a_model_that_is_not_there_yet_is_released_when_it_is(flow: Flow) -> None:
    assert flow.letters(release("stable")) == [("imagery.retry.1000ms", "unknown_model")]
    flow.say(ADDED)
    assert flow.say(release("stable")) == []
    assert len(releases(flow)) == 1


def first_task(flow: Flow) -> Task:
    (task,) = [each for each in flow.say(upsert(channels=["amazon"])) if isinstance(each, Task)]
    return task


def completion(task: Task, model: str | None = None, picture: str = "a", **measures: float) -> TaskCompleted:
    return replace(done(task, **measures), model=model, outputs=[blob(picture)])


def test_the_models_are_reported_along_the_way(flow: Flow) -> None:
    cut = completion(first_task(flow), model="u2netp@1")
    (task, *_) = [each for each in flow.say(cut) if isinstance(each, Task)]
    assert task.models == ["u2netp@1"]
    (request, *_) = [each for each in flow.say(completion(task)) if isinstance(each, PublishRequested)]
    assert request.models == ["u2netp@1"]


@pytest.mark.parametrize("at", ["cutout", "packshot"])
def test_what_a_recalled_model_made_goes_no_further_and_is_made_again(flow: Flow, at: str) -> None:
    event = completion(first_task(flow), model="mine@1")
    if at == "packshot":
        task = next(each for each in flow.say(event) if isinstance(each, Task))
        event = completion(task)
    flow.say(ADDED)
    flow.say(release("withdrawn", recall=True))
    (again,) = flow.say(event)
    assert isinstance(again, ReplanRequested)
    assert again.reason == "mine@1 was recalled"


def test_a_withdrawn_model_is_not_a_recalled_one(flow: Flow) -> None:
    cut = completion(first_task(flow), model="mine@1")
    flow.say(ADDED)
    flow.say(release("withdrawn"))
    assert all(isinstance(each, Task) for each in flow.say(cut))


def test_what_was_on_its_way_to_the_origin_when_its_model_was_recalled_is_made_again(flow: Flow) -> None:
    request = published_by(flow, "mine@1")
    flow.say(ADDED)
    flow.say(release("withdrawn", recall=True))
    (again,) = flow.say(published(request))
    assert isinstance(again, ReplanRequested)


def published_by(flow: Flow, model: str) -> PublishRequested:
    cut = completion(first_task(flow), model=model)
    task = next(each for each in flow.say(cut) if isinstance(each, Task))
    return next(each for each in flow.say(completion(task)) if isinstance(each, PublishRequested))


def test_an_announcement_tells_the_models(flow: Flow) -> None:
    event = published(published_by(flow, "u2netp@1"))
    assert isinstance(event, AssetPublished)
    assert event.models == ["u2netp@1"]


def doubtful(task: Task, result_id: str, asked_at_ms: int) -> TaskCompleted:
    made = completion(
        replace(task, asked_at_ms=asked_at_ms), picture={"old": "d", "new": "e"}[result_id], cropped_edges=1
    )
    return replace(made, result_id=result_id)


def reviewed(flow: Flow) -> tuple[Task, ReviewRequested]:
    """A task whose doubtful result waits, after another one's had waited and was superseded."""
    task = next(each for each in flow.say(completion(first_task(flow))) if isinstance(each, Task))
    (old,) = flow.say(doubtful(task, "old", 10))
    (new,) = flow.say(doubtful(task, "new", 20))
    assert isinstance(old, ReviewRequested)
    assert isinstance(new, ReviewRequested)
    assert pending(flow) == [new.review_id]
    return task, old


def pending(flow: Flow) -> list[str]:
    with flow.database.read() as facts:
        return [review.review_id for review in facts.reviews.every()]


def test_a_result_that_is_announced_again_does_not_come_back(flow: Flow) -> None:
    task, old = reviewed(flow)
    assert flow.say(doubtful(task, "old", 10)) == []
    assert old.review_id not in pending(flow)


def test_a_result_that_is_asked_for_again_is_reviewed_again(flow: Flow) -> None:
    task, old = reviewed(flow)
    (again,) = flow.say(doubtful(task, "old", 30))
    assert isinstance(again, ReviewRequested)
    assert pending(flow) == [old.review_id] == [again.review_id]


@pytest.mark.parametrize("approved", [True, False])
def test_what_a_person_decided_is_not_asked_again(flow: Flow, approved: bool) -> None:
    task = next(each for each in flow.say(completion(first_task(flow))) if isinstance(each, Task))
    (request,) = flow.say(doubtful(task, "old", 10))
    assert isinstance(request, ReviewRequested)
    fields = {"review_id": request.review_id, "tenant": task.tenant, "sku": task.sku, "decided_by": "ada"}
    flow.say(ReviewDecided(approved=approved, reason="seen", **fields))  # type: ignore[arg-type]
    assert flow.say(doubtful(task, "old", 10)) == []
    again = flow.say(doubtful(task, "old", 30))
    assert [type(each) for each in again] == ([PublishRequested] if approved else [])
    assert all(isinstance(each, PublishRequested) and each.approved_by == "ada" for each in again)


def test_a_shadow_is_counted_once(flow: Flow) -> None:
    task = first_task(flow)
    good = Shadow(model="mine@1", agreement=0.9, difference=0.01, engine_ms=20)
    for shadow, result in ((good, "a"), (good, "a"), (Shadow(model="mine@1", error="no_subject"), "b")):
        flow.say(replace(completion(task), result_id=result, shadow=shadow))
    with flow.database.read() as facts:
        (compared,) = facts.models.comparisons()
    assert (compared.count, compared.failed, compared.agreement_mean) == (2, 1, 0.9)


def test_an_added_models_graph_is_fetched_once_and_checked(tmp_path: Path) -> None:
    blobs = Blobs(MemoryStore())
    graph = b"a graph"
    model = replace(load_manifest("u2netp@1"), name="mine", published=None, sha256=blobs.put(graph), file="m.onnx")
    added = replace(ADDED, manifest=msgspec.yaml.encode(model).decode())
    registry = ModelRegistry(tmp_path, blobs, lambda: {"mine@1": added})
    folder = registry.fetched(registry.model("mine@1"))
    assert (folder / "m.onnx").read_bytes() == graph
    assert folder == tmp_path / "added" / "mine@1"
    (folder / "m.onnx").write_bytes(b"half")
    assert (registry.fetched(model) / "m.onnx").read_bytes() == graph
