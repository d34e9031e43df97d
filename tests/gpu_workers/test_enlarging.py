"""A network that enlarges, from manifest to picture: what it invents is held to the source, and kept from text."""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import msgspec
import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper
from PIL import Image

from gpu_workers.engines import open_engine
from gpu_workers.local import studio
from gpu_workers.models.manifest import BadManifest, Input, Model, Output, UnknownModel, load_manifest, parse_manifest
from gpu_workers.models.verifying import BadAnswers, check_graph, try_out
from gpu_workers.operations.base import Composed, ComposeRequest, Enlarger, Library, compose, fingerprint
from gpu_workers.operations.upscale.errors import BadTiles
from gpu_workers.operations.upscale.network import TILE_PX
from gpu_workers.operations.upscale.sharpness import text_mask
from gpu_workers.pools import compose as compose_pool
from gpu_workers.pools import cutout as cutout_pool
from gpu_workers.serving.model_registry import ModelRegistry
from gpu_workers.sources.decoding import Picture, decode
from schemas import channels
from schemas.records import ModelAdded
from streams.blobs import Blobs, open_store
from streams.facts import Database
from streams.runtime.errors import Refused
from streams.runtime.settings import Settings
from streams.services.ordering.local_render import Wanted, render_one
from streams.services.releases import models
from tests.gpu_workers.test_upscale import photograph
from tests.memory_store import MemoryStore
from tests.streams.flow import Flow

INVENTED = 0.08


def write(folder: Path, times: int = 2, side_px: int = TILE_PX, gain: float = 1.0) -> Model:
    """A pixel shuffle behind a convolution: each pixel `times` by `times`, with a grid that nobody photographed."""
    copies = times**2
    weights = np.zeros((3 * copies, 3, 1, 1), np.float32)
    weights[np.arange(3 * copies), np.arange(3 * copies) // copies] = gain
    grid = np.where(np.add.outer(np.arange(times), np.arange(times)) % 2, INVENTED, -INVENTED).ravel()
    large = times * side_px
    graph = helper.make_graph(
        [
            helper.make_node("Conv", ["x", "w", "b"], ["copies"]),
            helper.make_node("DepthToSpace", ["copies"], ["large"], blocksize=times, mode="CRD"),
        ],
        "grid",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 3, side_px, side_px])],
        [helper.make_tensor_value_info("large", TensorProto.FLOAT, ["n", 3, large, large])],
        [numpy_helper.from_array(weights, "w"), numpy_helper.from_array(np.tile(grid, 3).astype(np.float32), "b")],
    )
    data = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8).SerializeToString()
    (folder / "grid.onnx").write_bytes(data)
    return Model(
        name="grid",
        version="1",
        operation="upscale",
        licence="Apache-2.0",
        source="these tests",
        precision="fp32",
        max_batch=4,
        file="grid.onnx",
        sha256=hashlib.sha256(data).hexdigest(),
        size_bytes=len(data),
        input=Input((3, side_px, side_px), (0.0, 0.0, 0.0), (1.0, 1.0, 1.0)),
        output=Output("large", (3, large, large), kind="enlargement"),
    )


def added(model: Model) -> ModelAdded:
    text = msgspec.yaml.encode(model).decode()
    return ModelAdded(operation=model.operation, model=model.ref, manifest=text, added_at_ms=0)


def registry(folder: Path, model: Model) -> ModelRegistry:
    """Where an operator has added the model."""
    blobs = Blobs(MemoryStore())
    blobs.put((folder / model.file).read_bytes(), "application/octet-stream")
    return ModelRegistry(folder / "weights", blobs, lambda: {model.ref: added(model)})


def pinned(ref: str = "grid@1") -> Settings:
    return Settings(upscale_model=ref, engine="onnxruntime")


def source() -> Picture:
    return Picture(photograph(300, 260), "image/png", 8, False, "", 1, 1)


def enlarged(enlarger: Enlarger | None) -> Composed:
    request = ComposeRequest(
        channels.load("shopify"), {}, "", is_asset=False, goes_on=True, library=Library(enlarger=enlarger)
    )
    return compose("upscale", [source()], request)


@pytest.mark.parametrize("times", [2, 4])
def test_a_network_enlarges_and_leaves_text_and_source_as_they_were(tmp_path: Path, times: int) -> None:
    with compose_pool.open_enlarger(pinned(), registry(tmp_path, write(tmp_path, times))) as enlarger:
        seen, again, plain = enlarged(enlarger), enlarged(enlarger), enlarged(None)
    assert seen.files[0].data == again.files[0].data
    assert decode(seen.files[0].data).metadata.marks.system == "grid"
    assert decode(plain.files[0].data).metadata.marks.system == ""
    assert seen.measures["back_projection_max"] <= 2
    one, other = (decode(made.files[0].data).pixels.astype(int) for made in (seen, plain))
    text = cv2.erode(text_mask(source().pixels), np.ones((5, 5), np.uint8)).repeat(2, axis=0).repeat(2, axis=1) >= 1
    changed = np.abs(one - other).max(axis=2)
    assert text.any()
    assert changed[text].max() <= 1
    assert changed[~text].max() > 10


def test_another_network_gives_another_result(tmp_path: Path) -> None:
    request = ComposeRequest(channels.load("shopify"), {})
    with compose_pool.open_enlarger(pinned(), registry(tmp_path, write(tmp_path))) as enlarger:
        assert enlarger is not None
        assert enlarger.model == "grid@1"
        with_it = replace(request, library=Library(enlarger=enlarger))
        assert fingerprint("upscale", with_it) == enlarger.fingerprint
        assert fingerprint("packshot", with_it) == ""
    assert fingerprint("upscale", request) == ""


def test_without_the_setting_there_is_none(tmp_path: Path) -> None:
    with compose_pool.open_enlarger(Settings(), registry(tmp_path, write(tmp_path))) as enlarger:
        assert enlarger is None


def test_a_network_of_another_kind_or_size_is_not_opened(tmp_path: Path) -> None:
    model = write(tmp_path, side_px=64)
    with pytest.raises(BadTiles, match="64"), compose_pool.open_enlarger(pinned(), registry(tmp_path, model)):
        pass
    with (
        pytest.raises(UnknownModel, match="for cutout and not for upscale"),
        compose_pool.open_enlarger(pinned("u2netp@1"), registry(tmp_path, model)),
    ):
        pass
    with pytest.raises(UnknownModel, match="for upscale and not for cutout"):
        cutout_pool.open_network(Settings(), registry(tmp_path, model), "grid@1")


@pytest.fixture
def installed(tmp_path: Path) -> Iterator[Settings]:
    """An installation to which the model was added."""
    model = write(tmp_path)
    settings = Settings(data_folder=tmp_path, cache_folder=tmp_path, engine="onnxruntime", upscale_model=model.ref)
    Blobs(open_store(settings.blobs)).put((tmp_path / model.file).read_bytes(), "application/octet-stream")
    database = Database(settings.database)
    database.create_tables()
    Flow(database).say(added(model))
    yield settings
    database.close()


@pytest.mark.usefixtures("reads_nothing")
def test_a_file_is_rendered_with_the_network_that_the_settings_name(installed: Settings, tmp_path: Path) -> None:
    Image.fromarray(photograph(300, 260)).save(tmp_path / "in.png")
    files = []
    for ref in ("grid@1", None):
        settings = replace(installed, upscale_model=ref)
        made = render_one(settings, Wanted("upscale", "shopify"), [tmp_path / "in.png"])
        assert isinstance(made, studio.Output)
        files.append(made.file)
    assert files[0] != files[1]
    unknown = replace(installed, upscale_model="nobody@1")
    with pytest.raises(Refused) as caught:
        render_one(unknown, Wanted("upscale", "shopify"), [tmp_path / "in.png"])
    assert (caught.value.code, caught.value.field) == ("bad_model", "upscale_model")


def test_releases_are_for_networks_that_cut_out(installed: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    @contextmanager
    def connected(settings: Settings) -> Iterator[tuple[Database, None]]:
        yield Database(settings.database), None

    monkeypatch.setattr("streams.services.operating.local.connect", connected)
    with pytest.raises(Refused, match="upscale_model") as caught:
        models.release(installed, "grid@1", "stable", 1.0, (), "", "me")
    assert caught.value.code == "not_released"


@pytest.mark.parametrize("engine", ["onnxruntime", "openvino"])
@pytest.mark.parametrize("times", [2, 4])
def test_one_that_enlarges_is_good_on_every_engine(tmp_path: Path, engine: Any, times: int) -> None:
    model = write(tmp_path, times)
    check_graph(model, tmp_path / model.file)
    opened, reference = open_engine(model, tmp_path, engine), open_engine(model, tmp_path, "onnxruntime")
    assert try_out(model, opened, reference) is None
    opened.close()
    reference.close()


def test_one_that_does_not_answer_with_its_picture_is_reported(tmp_path: Path) -> None:
    model = write(tmp_path, gain=0.5)
    opened = open_engine(model, tmp_path, "onnxruntime")
    with pytest.raises(BadAnswers, match="off the picture"):
        try_out(model, opened)
    opened.close()


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"output": Output("large", (3, 512, 512))}, r"output\.kind"),
        ({"operation": "cutout"}, r"output\.kind"),
        ({"output": Output("large", (3, 768, 768), kind="enlargement")}, r"output\.shape"),
        ({"output": Output("large", (1, 512, 512), kind="enlargement")}, r"output\.shape"),
    ],
)
def test_a_manifest_says_what_goes_together(tmp_path: Path, change: dict[str, Any], named: str) -> None:
    fields = {**msgspec.structs.asdict(write(tmp_path)), **change}
    with pytest.raises(BadManifest, match=named):
        parse_manifest(msgspec.yaml.encode(fields).decode(), "grid.yaml")


def test_a_mask_has_one_band() -> None:
    found = msgspec.to_builtins(load_manifest("u2netp"))
    found["output"]["shape"] = [3, 320, 320]
    with pytest.raises(BadManifest, match="one band"):
        parse_manifest(msgspec.yaml.encode(found).decode(), "u.yaml")
