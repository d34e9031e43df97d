"""One picture, now: over a stand-in for Kafka, with the worker's own code on networks that see a disc."""

import io
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from litestar.testing import TestClient
from PIL import Image

from gpu_workers.metering import Meter
from gpu_workers.results import Result, Results
from schemas import codec, topics
from schemas.records import Check, Task, TaskCompleted, Verdict
from streams.api.app import build
from streams.api.gateway import Gateway
from streams.consumer import replies as addresses
from streams.consumer.letters import Delivery
from streams.facts import Database
from streams.facts.database import DatabaseUnavailable
from streams.runtime.clock import now_ms
from streams.runtime.errors import Refused
from streams.runtime.settings import Settings
from streams.services.access import keys
from streams.services.ordering.admission import Admission
from streams.services.ordering.pictures import Pictures
from streams.services.ordering.replies import Replies
from tests.streams.api.picture_workers import Client, Workers, post


@pytest.fixture
def gateway(working: Gateway) -> Gateway:
    return working


def test_a_cutout_is_answered_as_a_picture_and_of_no_product(demo: Client, workers: Workers, photo: bytes) -> None:
    answer = post(demo, "cutouts", photo)
    assert answer.status_code == 200, answer.text
    picture = Image.open(io.BytesIO(answer.content))
    assert (answer.headers["content-type"], picture.mode, picture.size) == ("image/png", "RGBA", (200, 200))
    assert (answer.headers["x-packshot-model"], float(answer.headers["x-packshot-engine-ms"]) > 0) == ("disc@1", True)
    assert 0 <= float(answer.headers["x-uncertainty"]) <= 1
    (task,) = workers.tasks
    assert (task.lane, task.source, len(task.inputs)) == ("urgent", None, 1)
    (written,) = workers.written
    assert (written.topic, written.partition) == (topics.REPLIES.name, 3)


@pytest.mark.parametrize("route", ["raw", "form", "address"])
def test_a_photograph_comes_as_a_body_in_a_form_or_by_its_address(
    route: str, demo: Client, gateway: Gateway, workers: Workers, photo: bytes, tmp_path: Path
) -> None:
    query = {"channel": "amazon", "padding": "0.1"}
    headers = {"Prefer": "wait=60", "Accept": "application/json"}
    if route == "raw":
        answer = demo.post("/v1/packshots", content=photo, params=query, headers=headers)
    elif route == "form":
        answer = demo.post("/v1/packshots", files={"image": ("a.png", photo)}, data=query, headers=headers)
    else:
        assert str(tmp_path) in gateway.settings.source_file_roots
        source = {"uri": (tmp_path / "photo.png").as_uri()}
        body = {"source": source, "channel": "amazon", "parameters": {"padding": 0.1}}
        answer = demo.post("/v1/packshots", json=body, headers=headers)
    assert answer.status_code == 200, answer.text
    details = answer.json()
    assert (details["state"], details["file"]["width_px"]) == ("done", 500)
    assert details["verdict"]["rules"].endswith(answer.headers["x-packshot-rules"].partition(",")[2])
    assert details["verdict"]["outcome"] == answer.headers["x-packshot-verdict"]
    assert details["measures"]["cutout.uncertainty"] == details["uncertainty"]
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
    other = replace(gateway, pictures=beside(gateway, workers))
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

    monkeypatch.setattr(workers.by_pool["cutout"], "_work", refuse)
    answer = post(demo, "packshots", photo, channel="amazon")
    assert (answer.status_code, answer.json()["code"], answer.json()["field"]) == (422, "empty_cutout", "source")
    assert len(workers.tasks) == 1


def test_a_picture_that_the_content_policy_refuses_is_not_handed_out(
    demo: Client, photo: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = Check(
        point="policy",
        name="cutout.picture_class_flag",
        outcome="fail",
        measured=0.9,
        limit="≤ 0.5",
        rule="own@1/flags",
    )
    refused = Verdict(outcome="fail", checks=[seen], rules="gates")
    monkeypatch.setattr("streams.services.ordering.pictures.verdict_of", lambda *_: refused)
    answer = post(demo, "packshots", photo, channel="amazon")
    assert (answer.status_code, answer.json()["code"], answer.json()["field"]) == (422, "output_refused", "photograph")
    assert "own@1/flag" in answer.json()["detail"]


def test_work_that_is_too_late_to_begin_is_not_begun(
    demo: Client, workers: Workers, photo: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gpu_workers.worker.time.time", lambda: now_ms() / 1000 + 61)
    answer = post(demo, "cutouts", photo)
    assert (answer.status_code, answer.json()["code"], answer.json()["retryable"]) == (504, "too_late", True)
    assert answer.headers["x-packshot-cost-nanos"] == "0"
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
        ("cutouts", {"retouch": "0" * 64}, "bad_parameters"),  # strokes that anybody may have sent
        ("packshots", {}, "unknown_channel"),
        ("packshots", {"channel": "nowhere"}, "unknown_channel"),
        ("mockups", {"channel": "web", "seed": "x"}, "bad_parameters"),
        ("mockups", {"channel": "web"}, "bad_parameters"),
        ("cutouts", {"recipe": "marketplace"}, "bad_parameters"),
        ("renders", {"channel": "web"}, "invalid_event"),
        ("renders", {"channel": "web", "recipe": "nothing"}, "unknown_recipe"),
        ("renders", {"channel": "web", "recipe": "prints"}, "unknown_asset"),
        ("renders", {"channel": "instagram", "recipe": "prints"}, "unknown_asset"),
        ("renders", {"channel": "instagram", "recipe": "prints", "asset": "plate"}, "unknown_asset"),
    ],
)
def test_what_is_wrong_is_said_before_any_work(
    what: str, query: dict[str, Any], code: str, demo: Client, workers: Workers, photo: bytes
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


def test_a_test_key_gets_pictures_with_a_watermark_and_nobody_elses(
    client: Client, key: str, database: Database, workers: Workers, photo: bytes
) -> None:
    text, _ = keys.create(database, "trial", ("demo",), mode="test")
    live, trial = {"Authorization": f"Bearer {key}"}, {"Authorization": f"Bearer {text}"}
    client.headers.update(live)
    clean = post(client, "cutouts", photo)
    client.headers.update(trial)
    marked = post(client, "cutouts", photo)
    assert (marked.status_code, marked.headers["x-packshot-test"]) == (200, "watermarked")
    assert "x-packshot-test" not in clean.headers
    seen, known = (Image.open(io.BytesIO(each.content)) for each in (marked, clean))
    assert (seen.format, seen.mode, seen.size) == (known.format, known.mode, known.size)
    share = np.mean(np.any(np.asarray(seen) != np.asarray(known), axis=2))
    assert share > 0.03
    for headers, answer in ((trial, clean), (live, marked)):
        path = answer.headers["content-location"].partition("8088")[2]
        assert client.get(path, headers=headers).status_code == 404
    assert len(workers.tasks) == 2
    assert marked.headers["x-packshot-engine-ms"] == "0", "what was made for the live key was found"


def test_a_job_is_asked_for_anew_after_a_while(
    demo: Client, workers: Workers, photo: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    post(demo, "cutouts", photo)
    monkeypatch.setattr("streams.services.ordering.pictures.KNOWN_MS", -1)
    assert post(demo, "cutouts", photo).status_code == 200
    assert len(workers.tasks) == 2


def spent(client: Client) -> Any:
    """What all work cost; None where there was none."""
    (total,) = client.get("/v1/costs").json()["groups"] or [None]
    return total


def tasks_begun(workers: Workers) -> int:
    """What the workers' completions cost, in billionths of the currency."""
    done = [codec.decode(each.value) for each in workers.written]
    return sum(cost.price_nanos for each in done if isinstance(each, TaskCompleted) for cost in each.costs.values())


def test_what_pictures_cost_stands_in_the_costs_once(demo: Client, workers: Workers, photo: bytes) -> None:
    assert spent(demo) is None
    post(demo, "cutouts", photo)
    total, nanos = spent(demo), tasks_begun(workers)
    assert nanos > 0
    assert (total["images"], total["total_nanos"], total["wasted_nanos"]) == (1, nanos, 0)
    assert total["engine_ms"] > 0
    assert total["price_nanos"]["accepted"] == nanos
    post(demo, "cutouts", photo)  # known
    assert spent(demo) == total
    post(demo, "packshots", photo, channel="amazon")
    by = {
        each["group"]["operation"]: each for each in demo.get("/v1/costs", params={"by": "operation"}).json()["groups"]
    }
    assert (by["cutout"]["images"], by["packshot"]["images"]) == (2, 1)
    assert spent(demo)["total_nanos"] == tasks_begun(workers) > nanos
    assert len(workers.tasks) == 3


def test_what_is_announced_again_by_another_gateway_costs_once_and_what_failed_was_wasted(
    demo: Client, gateway: Gateway, workers: Workers, photo: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("streams.services.ordering.pictures.KNOWN_MS", -1)
    post(demo, "cutouts", photo)
    once = spent(demo)
    post(demo, "cutouts", photo)  # its worker finds what it had made, and tells of that cost again
    assert (spent(demo), len(workers.tasks)) == (once, 2)

    def refuse(_task: Task, _results: Results, _meter: Meter) -> tuple[str, Result, bool]:
        raise Refused("bad_layers", "nothing fits")

    monkeypatch.setattr(workers.by_pool["compose"], "_work", refuse)
    assert post(demo, "packshots", photo, channel="amazon").status_code == 422
    total = spent(demo)
    assert (total["images"], total["price_nanos"]["accepted"]) == (1, once["total_nanos"])
    assert total["price_nanos"]["failed"] == total["wasted_nanos"] > 0
    with gateway.database.replaced():  # no topic tells of them
        pass
    assert spent(demo) == total


def test_what_cannot_be_noted_is_not_handed_out_and_the_same_again_works(
    demo: Client, photo: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*_: Any) -> None:
        raise DatabaseUnavailable("it is away")

    monkeypatch.setattr("streams.facts.costs.Costs.put_ordered", away)
    assert post(demo, "cutouts", photo).status_code == 503
    monkeypatch.undo()
    assert post(demo, "cutouts", photo).status_code == 200
    assert spent(demo)["images"] == 1


def beside(gateway: Gateway, workers: Workers) -> Pictures:
    """The pictures of another gateway on the same stores."""
    here = Admission(lambda _own: {})
    return Pictures(gateway.database, gateway.pictures.blobs, gateway.pictures._replies, workers, here)


def test_a_job_whose_gateway_has_ended_is_gone_on_with_by_another(
    demo: Client, key: str, gateway: Gateway, workers: Workers, photo: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gateway.pictures._replies, "tell", lambda _record: None)  # its replies come to nobody
    answer = post(demo, "cutouts", photo, wait_s=0)
    assert answer.status_code == 202
    path = answer.headers["location"].removeprefix(gateway.settings.gateway)
    monkeypatch.undo()
    headers = {"Authorization": f"Bearer {key}"}
    with TestClient(build(replace(gateway, pictures=beside(gateway, workers)))) as elsewhere:
        while (found := elsewhere.get(path, headers=headers)).status_code == 202:
            assert len(workers.tasks) <= 2
        again = post_as(elsewhere, key, photo)
    assert (found.status_code, found.headers["content-type"]) == (200, "image/png")
    assert (again.content, again.headers["x-packshot-cost-nanos"]) == (found.content, "0")
    assert len(workers.tasks) == 2
    assert workers.tasks[0].task_id == workers.tasks[1].task_id


def post_as(client: Client, key: str, photo: bytes) -> Any:
    client.headers["Authorization"] = f"Bearer {key}"
    return post(client, "cutouts", photo)


def test_a_full_lane_is_said_at_once_and_costs_nothing(demo: Client, workers: Workers, photo: bytes) -> None:
    assert post(demo, "cutouts", photo).status_code == 200
    workers.others = {"cutout": 10**9}
    answer = post(demo, "cutouts", photo, speckle_share="0.01")
    assert (answer.status_code, answer.json()["code"], answer.json()["retryable"]) == (503, "over_capacity", True)
    assert (int(answer.headers["retry-after"]) >= 1, answer.headers["x-packshot-cost-nanos"]) == (True, "0")
    assert len(workers.tasks) == 1
    assert post(demo, "cutouts", photo).status_code == 200, "what is known needs no room"
    workers.others = {}
    assert post(demo, "cutouts", photo, speckle_share="0.01").status_code == 200


@pytest.mark.parametrize(
    ("query", "operations"),
    [
        ({"recipe": "marketplace", "channel": "amazon"}, ["cutout", "packshot"]),
        ({"recipe": "marketplace", "channel": "web"}, ["cutout", "transparent"]),
        ({"recipe": "campaign", "channel": "instagram", "shadow.mode": "none"}, ["cutout", "packshot"]),
        ({"recipe": "prints", "channel": "instagram", "asset": "mug"}, ["source", "artwork"]),
    ],
)
def test_a_render_is_what_a_recipe_makes_for_a_channel(
    query: dict[str, Any], operations: list[str], demo: Client, workers: Workers, photo: bytes
) -> None:
    answer = post(demo, "renders", photo, "application/json", **query)
    assert answer.status_code == 200, answer.text
    assert [task.step.operation for task in workers.tasks] == operations
    assert answer.json()["operation"] == operations[-1]
    if "shadow.mode" in query:
        assert workers.tasks[-1].step.parameters["shadow.mode"] == "none"
        assert workers.tasks[-1].step.parameters["background.color"] == "#EFE7DB"
