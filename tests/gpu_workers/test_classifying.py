"""A network of the operator's own that looks at photographs: it can send one to a person, and nothing else."""

import hashlib
from dataclasses import replace
from pathlib import Path
from typing import Literal

import msgspec
import numpy as np
import pytest
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from gpu_workers.engines import open_engine
from gpu_workers.models.contract import seen_in, tensor_of
from gpu_workers.models.graph import BadGraph
from gpu_workers.models.manifest import BadManifest, Input, Model, Output, UnknownModel, parse_manifest, read_manifest
from gpu_workers.models.verifying import BadAnswers, check_graph, try_out
from gpu_workers.operations.base import SourceRequest, pixel_half
from gpu_workers.operations.cutout.operation import CutOut
from gpu_workers.pools import cutout as cutout_pool
from gpu_workers.serving.model_registry import ModelRegistry
from gpu_workers.sources.decoding import Picture
from schemas import channels
from schemas.policies import joined, parse
from schemas.records import CatalogChanged, ModelAdded, Source
from streams.blobs import Blobs
from streams.flow.gates import policy
from streams.flow.processors import policing
from streams.flow.processors.judging import judge
from streams.runtime.settings import Settings
from tests.memory_store import MemoryStore

SIDE_PX = 16
RED, GREEN = (230, 20, 20), (20, 200, 40)


def write(folder: Path, *, squashed: bool = True, bands: str = "rgb", bands_last: bool = False) -> Model:
    """A stand-in: the picture's mean colour, of which more red than green is the doubtful class 1."""
    shape = (SIDE_PX, SIDE_PX, 3) if bands_last else (3, SIDE_PX, SIDE_PX)
    weights = np.array([[-6.0, 6.0, 0.0], [6.0, -6.0, 0.0]], np.float32)
    first = [helper.make_node("Transpose", ["x"], ["planes"], perm=[0, 3, 1, 2])] if bands_last else []
    nodes = [
        *first,
        helper.make_node("GlobalAveragePool", ["planes" if bands_last else "x"], ["mean"]),
        helper.make_node("Flatten", ["mean"], ["colour"], axis=1),
        helper.make_node("Gemm", ["colour", "w"], ["sums"], transB=1),
        helper.make_node("Softmax" if squashed else "Identity", ["sums"], ["scores"]),
    ]
    graph = helper.make_graph(
        nodes,
        "redness",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", *shape])],
        [helper.make_tensor_value_info("scores", TensorProto.FLOAT, ["n", 2])],
        [numpy_helper.from_array(weights, "w")],
    )
    data = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8).SerializeToString()
    (folder / "redness.onnx").write_bytes(data)
    return Model(
        name="redness",
        version="1",
        operation="classify",
        licence="Apache-2.0",
        source="these tests",
        precision="fp32",
        max_batch=2,
        file="redness.onnx",
        sha256=hashlib.sha256(data).hexdigest(),
        size_bytes=len(data),
        input=Input(shape, (0.0, 0.0, 0.0), (1.0, 1.0, 1.0), bands="bgr" if bands == "bgr" else "rgb"),
        output=Output("scores", (1, 1, 2), kind="scores", doubtful=(1,), classes={"flag": 1, "plain": 0}),
    )


def registry(folder: Path, model: Model) -> ModelRegistry:
    """Where an operator has added the model."""
    blobs = Blobs(MemoryStore())
    blobs.put((folder / model.file).read_bytes(), "application/octet-stream")
    text = msgspec.yaml.encode(model).decode()
    added = ModelAdded(operation=model.operation, model=model.ref, manifest=text, added_at_ms=0)
    return ModelRegistry(folder / "weights", blobs, lambda: {model.ref: added})


def photograph(colour: tuple[int, int, int]) -> NDArray[np.uint8]:
    rgb = np.full((120, 120, 3), 245, np.uint8)
    rgb[30:90, 30:90] = colour
    return rgb


def cut(folder: Path, colour: tuple[int, int, int], category: str = "", ref: str | None = "redness@1") -> CutOut:
    settings = Settings(classify_model=ref, engine="onnxruntime")
    half = pixel_half("cutout", "cutout")
    picture = Picture(photograph(colour), "image/png", 8, False, "", 1, 1)
    with cutout_pool.open_classifier(settings, registry(folder, write(folder))) as classifier:
        request = SourceRequest(
            {}, category, lambda rgb: (rgb.min(axis=2) < 200).astype(np.float32), classifier=classifier
        )
        made = half.run([picture], request)
    assert isinstance(made, CutOut)
    return made


def outcomes(made: CutOut) -> dict[str, str]:
    measures = {f"cutout.{name}": value for name, value in made.measures.items()}
    return {each.name: each.outcome for each in policy.checks(measures, channels.load("amazon"))}


@pytest.mark.parametrize(("colour", "outcome"), [(RED, "review"), (GREEN, "pass")])
def test_what_it_doubts_goes_to_a_person(tmp_path: Path, colour: tuple[int, int, int], outcome: str) -> None:
    assert outcomes(cut(tmp_path, colour)) == {"cutout.picture_doubt": outcome}


def test_of_what_is_worn_on_the_skin_another_limit_counts(tmp_path: Path) -> None:
    made = cut(tmp_path, (230, 130, 110), "Women's Swimwear")
    assert 0.5 < made.measures["picture_doubt_bare"] < 0.9
    assert outcomes(made) == {"cutout.picture_doubt_bare": "pass"}
    assert outcomes(cut(tmp_path, (230, 130, 110), "Mugs")) == {"cutout.picture_doubt": "review"}
    assert outcomes(cut(tmp_path, RED, "Bras")) == {"cutout.picture_doubt_bare": "review"}


def test_nothing_that_it_says_can_refuse_a_picture() -> None:
    doubts = [each for each in policy.THRESHOLDS if each.measure.startswith("cutout.picture_doubt")]
    assert len(doubts) == 2
    assert {(each.otherwise, each.fails) for each in doubts} == {("review", None)}


def test_without_the_setting_nobody_looks_and_nothing_is_said(tmp_path: Path) -> None:
    made = cut(tmp_path, RED, ref=None)
    assert not [name for name in made.measures if name.startswith("picture_doubt")]
    assert outcomes(made) == {}
    assert not [name for name in made.measures if name.startswith("picture_class")]


RULES = """name: shown
version: "2026-12"
source: these tests
rules: []
pictures:
  - {id: flags, outcome: refuse, why: shows a flag, shows: flag, above: 0.5}
"""


@pytest.mark.parametrize(("colour", "outcome"), [(RED, "fail"), (GREEN, "pass")])
def test_a_rule_goes_by_a_class_that_the_network_sees(
    tmp_path: Path, colour: tuple[int, int, int], outcome: str
) -> None:
    made, amazon = cut(tmp_path, colour), channels.load("amazon")
    measures = {f"cutout.{name}": value for name, value in made.measures.items()}
    product = CatalogChanged(tenant="acme", sku="A", version=1, sources=[Source(uri="file:///a")], channels=["amazon"])
    rules = joined({"shown": parse(RULES)})
    (check,) = policing.checks_of_pictures(product, amazon, rules, measures)
    assert (check.name, check.outcome, check.rule) == ("cutout.picture_class_flag", outcome, "shown@2026-12/flags")
    verdict = judge(measures, amazon, "packshot", rules.lineage, {}, [check])
    assert check in verdict.checks


def test_a_network_may_name_classes_and_doubt_none() -> None:
    of = Output("scores", (1, 1, 2), kind="scores", classes={"flag": 1})
    seen = seen_in(np.array([0.3, 0.7], np.float32), of)
    assert seen.doubt is None
    assert seen.classes == {"flag": pytest.approx(0.7)}


def test_another_network_or_limit_gives_another_result(tmp_path: Path) -> None:
    half = pixel_half("cutout", "cutout")
    with cutout_pool.open_classifier(
        Settings(classify_model="redness@1", engine="onnxruntime"), registry(tmp_path, write(tmp_path))
    ) as classifier:
        seen = SourceRequest({}, "", classifier=classifier)
        ids = {half.fingerprint(each) for each in (seen, replace(seen, classifier=None), replace(seen, category="bra"))}
    assert len(ids) == 3


def test_a_model_for_something_else_is_not_opened(tmp_path: Path) -> None:
    settings = Settings(classify_model="u2netp@1", engine="onnxruntime")
    opening = cutout_pool.open_classifier(settings, registry(tmp_path, write(tmp_path)))
    with pytest.raises(UnknownModel, match="for cutout and not for classify"), opening:
        pass


def test_bands_come_in_the_order_that_the_manifest_says(tmp_path: Path) -> None:
    found = []
    for bands in ("rgb", "bgr"):
        model = write(tmp_path, bands=bands)
        answer = open_engine(model, tmp_path, "onnxruntime").infer(tensor_of(photograph(GREEN), model.input)[None])
        found.append(tensor_of(photograph(RED), model.input)[0, SIDE_PX // 2, SIDE_PX // 2])
        assert 0 <= (seen_in(answer[0], model.output).doubt or -1) <= 1
    assert found == [pytest.approx(230 / 255, abs=0.02), pytest.approx(20 / 255, abs=0.02)]


@pytest.mark.parametrize("engine", ["onnxruntime", "openvino"])
def test_a_graph_may_have_its_bands_last(tmp_path: Path, engine: Literal["onnxruntime", "openvino"]) -> None:
    doubts = []
    for bands_last in (False, True):
        model = write(tmp_path, bands_last=bands_last)
        check_graph(model, tmp_path / model.file)
        opened = open_engine(model, tmp_path, engine)
        assert try_out(model, opened) is None
        given = tensor_of(photograph(RED), model.input)
        assert given.shape == model.input.shape
        doubts.append(seen_in(opened.infer(given[None])[0], model.output).doubt)
        opened.close()
    assert doubts[0] == pytest.approx(doubts[1], abs=1e-5)


def test_the_example_that_can_be_had_is_one() -> None:
    model, _ = read_manifest(Path(__file__).parents[2] / "infra" / "examples" / "open-nsfw.yaml")
    assert (model.ref, model.operation, model.output.doubtful) == ("open-nsfw@1", "classify", (1,))
    mean = np.array(model.input.mean) * 255
    assert mean == pytest.approx([104, 117, 123], abs=0.01), "blue first, as its authors have it"


def test_its_graph_and_answers_are_tried_out_before_it_is_added(tmp_path: Path) -> None:
    model = write(tmp_path)
    check_graph(model, tmp_path / model.file)
    assert try_out(model, open_engine(model, tmp_path, "onnxruntime")) is None
    wider = msgspec.structs.replace(model, output=Output("scores", (1, 1, 5), kind="scores", doubtful=(1,)))
    with pytest.raises(BadGraph, match="scores"):
        check_graph(wider, tmp_path / model.file)
    raw = write(tmp_path, squashed=False)
    with pytest.raises(BadAnswers, match=r"output\.activation"):
        try_out(raw, open_engine(raw, tmp_path, "onnxruntime"))


@pytest.mark.parametrize(
    ("activation", "answer", "doubt"),
    [
        ("none", [0.2, 0.8], 0.8),
        ("softmax", [0.0, 0.0], 0.5),
        ("sigmoid", [9.0, 0.0], 0.5),
        ("softmax", [900, -900], 0),
    ],
)
def test_a_doubt_is_a_share(activation: str, answer: list[float], doubt: float) -> None:
    of = msgspec.convert(
        {"tensor": "s", "shape": (1, 1, 2), "kind": "scores", "doubtful": (1,), "activation": activation}, Output
    )
    assert seen_in(np.array(answer, np.float32), of).doubt == pytest.approx(doubt)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("doubtful: [1]", "doubtful: [2]"),
        ("flag: 1", "flag: 2"),
        ("flag: 1", "flag: -1"),
        ("kind: scores", "kind: mask"),
        ("operation: classify", "operation: cutout"),
        ("  - 3\n  - 16\n  - 16\n", "  - 4\n  - 16\n  - 16\n"),
    ],
)
def test_a_manifest_that_contradicts_itself_is_refused(tmp_path: Path, old: str, new: str) -> None:
    text = msgspec.yaml.encode(write(tmp_path)).decode().replace("doubtful:\n  - 1", "doubtful: [1]")
    assert old in text
    with pytest.raises(BadManifest, match=r"redness\.yaml"):
        parse_manifest(text.replace(old, new), "redness.yaml")
