"""The proof for machines with a GPU, whole, on the stand-in: what it would say there is not known, that it runs is."""

import json
from pathlib import Path
from typing import Any

import pytest

from gpu_workers.models.manifest import Model
from gpu_workers.models.verifying import DIFFERENCE_MAX
from infra import gpu_proof
from tests.contracts import tensorrt_stand_in
from tests.gpu_workers.tiny_model import write_tiny_model


@pytest.fixture
def tiny(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Model:
    model = write_tiny_model(tmp_path)
    tensorrt_stand_in.install(monkeypatch)
    monkeypatch.setattr(gpu_proof, "load_manifest", lambda _ref: model)
    monkeypatch.setattr(gpu_proof, "CHUNK_BYTES", 1021)  # none of the engine's own is so odd
    monkeypatch.setattr(gpu_proof, "LAST_CHUNK_BYTES", 1021)
    monkeypatch.setattr(gpu_proof, "ROUNDS", 5)
    return model


def limit_memory(monkeypatch: pytest.MonkeyPatch, chunks: int) -> None:
    """The stand-in's device has room for so many chunks."""
    driver = __import__("sys").modules["pycuda.driver"]
    given = driver.mem_alloc
    left = [chunks]

    def mem_alloc(num_bytes: int) -> Any:
        if num_bytes == gpu_proof.CHUNK_BYTES:
            if not left[0]:
                raise driver.MemoryError("cuMemAlloc failed: out of memory")
            left[0] -= 1
        return given(num_bytes)

    monkeypatch.setattr(driver, "mem_alloc", mem_alloc)


def prove(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> tuple[int, dict[str, Any]]:
    status = gpu_proof.main(["tiny@1", "--weights", str(tmp_path), "--minutes", "0.01"])
    return status, json.loads(capsys.readouterr().out.strip().splitlines()[-1])


def test_it_proves_every_point_and_says_so(
    tiny: Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    limit_memory(monkeypatch, 3)
    monkeypatch.setattr(gpu_proof, "GROWTH_MAX", 2.0)  # other tests' memory is in this process
    status, printed = prove(tmp_path, capsys)
    assert (status, printed["failed"]) == (0, 0), printed
    assert list(printed["models"][tiny.ref]) == [check.__name__ for check in gpu_proof.CHECKS]


def test_a_check_that_fails_is_reported_and_the_others_go_on(
    tiny: Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    limit_memory(monkeypatch, 10**9)
    monkeypatch.setattr(gpu_proof, "CHUNKS_MAX", 4)
    monkeypatch.setitem(DIFFERENCE_MAX, tiny.precision, -1.0)
    status, printed = prove(tmp_path, capsys)
    checks = printed["models"][tiny.ref]
    assert (status, printed["failed"]) == (1, 3)
    assert "they differ by" in checks["parity"]
    assert "has no end" in checks["memory_comes_back"]
    assert {each["batch"] for each in checks["speed"]} == {1, 2, 4, 5}


def test_without_a_gpu_it_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    assert gpu_proof.main([]) == 1
    assert "cannot run here" in capsys.readouterr().err
