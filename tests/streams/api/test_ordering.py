"""What merchants call things elsewhere, and what may stand for a photograph."""

import hashlib
from typing import Any

import pytest

from streams.api.gateway import Gateway
from streams.api.merchants import flat, ours
from streams.api.problems import Problem
from tests.streams.api.picture_workers import Client, Workers

JSON = {"Accept": "application/json", "Prefer": "wait=60"}


@pytest.fixture
def gateway(working: Gateway) -> Gateway:
    return working


@pytest.mark.parametrize(
    ("fields", "meant"),
    [
        ({"imageUrl": "https://a.example/a.jpg"}, {"source.uri": "https://a.example/a.jpg"}),
        ({"input": "https://a.example/a.jpg"}, {"source.uri": "https://a.example/a.jpg"}),
        ({"background.color": "FFEEDD", "padding": "10%"}, {"background.color": "#FFEEDD", "padding": "0.1"}),
        ({"bg_color": "white", "marginTop": "0.05"}, {"background.color": "#FFFFFF", "margin.top": "0.05"}),
        ({"shadow.mode": "ai.soft", "lighting.mode": "ai.auto"}, {"shadow.mode": "soft", "lighting.mode": "auto"}),
        ({"removeBackground": "true", "scaling": "fill"}, {"scaling": "fill"}),
        (
            {"operations": {"background": {"remove": True, "color": "#ffffff"}, "padding": "12.5%"}},
            {"background.color": "#ffffff", "padding": "0.125"},
        ),
        (
            {"operations": {"resizing": {"width": 800, "height": 600, "fit": "bounds"}}},
            {"outputSize": "800x600", "scaling": "fit"},
        ),
        ({"parameters": {"keep_own_alpha": False, "seed": 3}}, {"keep_own_alpha": "false", "seed": "3"}),
        ({"operations": {"restorations": {"upscale": "faces"}}}, {"restorations.upscale": "faces"}),
    ],
)
def test_names_of_others_are_ours(fields: dict[str, Any], meant: dict[str, str]) -> None:
    assert ours(dict(flat(fields))) == meant


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"removeBackground": "false"}, "removeBackground"),
        ({"operations": {"resizing": {"width": 800}}}, "resizing.height"),
        ({"operations": {"background": {"remove": {"clipping": True}}}}, "background.remove.clipping"),
        ({"layers": [1]}, "layers"),
    ],
)
def test_what_is_done_otherwise_is_refused_by_its_name(fields: dict[str, Any], field: str) -> None:
    with pytest.raises(Problem) as refused:
        ours(dict(flat(fields)))
    assert (refused.value.code, refused.value.field) == ("bad_parameters", field)


def test_a_form_of_claids_and_one_of_photorooms_make_the_same(demo: Client, workers: Workers, photo: bytes) -> None:
    data = '{"operations": {"background": {"remove": true, "color": "#EEEEEE"}, "padding": "10%"}}'
    first = demo.post(
        "/v1/packshots", files={"file": ("a", photo)}, data={"data": data, "channel": "web"}, headers=JSON
    )
    fields = {"background.color": "EEEEEE", "padding": "0.1", "channel": "web"}
    second = demo.post("/v1/packshots", files={"imageFile": ("a", photo)}, data=fields, headers=JSON)
    assert (first.status_code, second.status_code) == (200, 200), first.text
    assert first.json()["job_id"] != second.json()["job_id"] or first.json()["cost"] != second.json()["cost"]
    assert first.json()["file"] == second.json()["file"]
    assert workers.tasks[-1].step.parameters["padding"] == "0.1"


@pytest.mark.parametrize("body", [{}, {"source": {"uri": "https://a.example/a"}, "upload_id": "x"}, [1], {"source": 1}])
def test_one_photograph_is_wanted(body: Any, demo: Client, workers: Workers) -> None:
    answer = demo.post("/v1/cutouts", json=body)
    assert (answer.status_code, answer.json()["code"]) in ((422, "invalid_event"), (422, "bad_parameters"))
    assert workers.tasks == []


def test_an_upload_stands_for_its_file(demo: Client, gateway: Gateway, workers: Workers, photo: bytes) -> None:
    fixed = {"sha256": hashlib.sha256(photo).hexdigest(), "size_bytes": len(photo), "media_type": "image/png"}
    made = demo.post("/v1/uploads", json=fixed)
    assert (made.status_code, made.json()["state"]) == (201, "awaited")
    path = made.json()["url"].removeprefix(gateway.settings.gateway)
    order = {"upload_id": made.json()["upload_id"]}
    assert demo.post("/v1/cutouts", json=order).json()["code"] == "unknown_upload"
    assert demo.put(path, content=photo[:-1]).json()["code"] == "upload_mismatch"
    assert demo.put(path, content=photo[:-1] + b"!").json()["field"] == "sha256"
    assert demo.put(path, content=photo + b"!").json()["code"] == "body_too_large"
    assert demo.get(path).status_code == 404
    assert demo.put(path, content=photo, headers=made.json()["headers"]).json()["state"] == "here"
    assert demo.post("/v1/uploads", json=fixed).json()["state"] == "here"
    answer = demo.post("/v1/cutouts", json=order, headers=JSON)
    assert answer.status_code == 200, answer.text
    in_query = demo.post("/v1/cutouts", params=order, headers=JSON)
    assert in_query.json()["job_id"] == answer.json()["job_id"]
    assert len(workers.tasks) == 1


def test_an_upload_that_is_none_is_refused(demo: Client) -> None:
    fixed: dict[str, Any] = {"sha256": "a" * 64, "size_bytes": 10, "media_type": "image/png"}
    assert demo.post("/v1/uploads", json={**fixed, "media_type": "text/html"}).json()["field"] == "media_type"
    assert demo.post("/v1/uploads", json={**fixed, "size_bytes": 10**11}).json()["code"] == "body_too_large"
    assert demo.post("/v1/uploads", json={**fixed, "sha256": "A"}).json()["code"] == "invalid_event"
    assert demo.get("/v1/uploads/x").json()["code"] == "unknown_upload"
