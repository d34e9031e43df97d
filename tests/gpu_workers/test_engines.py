from pathlib import Path

import pytest
import structlog

from gpu_workers import engines
from gpu_workers.engines import Choice, EngineUnavailable, choose_engine, open_engine
from tests.contracts import tensorrt_stand_in
from tests.gpu_workers.tiny_model import write_tiny_model


def unavailable(monkeypatch: pytest.MonkeyPatch, *names: str) -> None:
    for name in names:
        monkeypatch.setitem(engines._REASONS, name, lambda: "not here")


def test_auto_takes_tensorrt_where_there_is_a_device(monkeypatch: pytest.MonkeyPatch) -> None:
    tensorrt_stand_in.install(monkeypatch)
    assert choose_engine() == Choice("tensorrt", {})


def test_auto_takes_openvino_next_and_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    unavailable(monkeypatch, "tensorrt")
    assert choose_engine() == Choice("openvino", {"tensorrt": "not here"})


def test_auto_takes_onnx_runtime_last(monkeypatch: pytest.MonkeyPatch) -> None:
    unavailable(monkeypatch, "tensorrt", "openvino")
    assert choose_engine() == Choice("onnxruntime", {"tensorrt": "not here", "openvino": "not here"})


def test_a_preference_is_never_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    unavailable(monkeypatch, "openvino")
    with pytest.raises(EngineUnavailable, match="openvino: not here"):
        choose_engine("openvino")


def test_no_engine_at_all_names_every_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    unavailable(monkeypatch, "tensorrt", "openvino", "onnxruntime")
    with pytest.raises(EngineUnavailable, match=r"tensorrt: .*openvino: .*onnxruntime: not here"):
        choose_engine()


def test_the_choice_is_logged_with_its_reasons(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    unavailable(monkeypatch, "tensorrt", "openvino")
    with structlog.testing.capture_logs() as logs:
        open_engine(write_tiny_model(tmp_path), tmp_path).close()
    assert logs[0]["engine"] == "onnxruntime"
    assert logs[0]["not_chosen"] == {"tensorrt": "not here", "openvino": "not here"}
