"""The pictures of a scene: decoded once and kept, for as long as their files stay the same."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from gpu_workers.imaging.types import Code
from gpu_workers.library.scenes import FILE, BadScene, Scene
from gpu_workers.sources.decoding import DecodeLimits, decode
from gpu_workers.sources.errors import PictureError

# Of scenes of 12 MP with a key, these are some 400 MB.
_SCENES_KEPT = 4
_LIMITS = DecodeLimits(pixels_max=40_000_000, side_px_min=1)
_ALPHA = 4  # bands


@dataclass(frozen=True)
class Layers:
    """A scene's layers, sRGB uint8: `plate` and `key` (h, w, 3), `occluder` (h, w, 4), `masks` by file (h, w), `depth`
    (h, w) uint16 in mm, `patches` by file: a prop's (h, w, 4) and its key's (h, w, 3)."""

    plate: Code
    key: Code | None
    occluder: Code | None
    depth: NDArray[np.uint16] | None
    masks: Mapping[str, Code]
    patches: Mapping[str, Code]


def fingerprint(folder: Path, scene: Scene) -> str:
    """SHA-256 over a scene's file and layers: another scene, another result."""
    digests = [_digest(folder / name, *_stamp(folder / name)) for name in (FILE, *scene.files())]
    return hashlib.sha256("\n".join(digests).encode()).hexdigest()


def layers_of(scene: Scene) -> Layers:
    """The layers of a scene; read anew when a file has changed. Raises BadScene naming the file."""
    return _decoded(scene, fingerprint(scene.folder, scene))


def _stamp(file: Path) -> tuple[int, int]:
    status = file.stat()
    return status.st_mtime_ns, status.st_size


@lru_cache(1024)
def _digest(file: Path, _modified_ns: int, _size_bytes: int) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()


@lru_cache(_SCENES_KEPT)
def _decoded(scene: Scene, _fingerprint: str) -> Layers:
    plate = _picture(scene, scene.plate, 3)
    size = plate.shape[:2]
    return Layers(
        plate=plate,
        key=_picture(scene, scene.key, 3, size) if scene.key else None,
        occluder=_picture(scene, scene.occluder, _ALPHA, size) if scene.occluder else None,
        depth=_depth(scene, scene.depth, size) if scene.depth else None,
        masks={
            paint.mask: np.ascontiguousarray(_picture(scene, paint.mask, 3, size)[..., 0]) for paint in scene.paints
        },
        patches={
            file: _picture(scene, file, bands)
            for prop in scene.props
            for file, bands in ((prop.file, _ALPHA), (prop.key_file, 3))
            if file
        },
    )


def _picture(scene: Scene, file: str, bands: int, size: tuple[int, ...] | None = None) -> Code:
    try:
        pixels = decode((scene.folder / file).read_bytes(), _LIMITS, file).pixels
    except PictureError as error:
        raise BadScene(f"{scene.name}: {error}") from error
    if pixels.dtype != np.uint8:
        raise BadScene(f"{scene.name}: the layer {file!r} has more than 8 bits a sample")
    if size is not None and pixels.shape[:2] != size:
        raise BadScene(f"{scene.name}: the layer {file!r} is not as large as the plate")
    if bands == _ALPHA and pixels.shape[2] == 3:  # the decoder drops an alpha that is opaque everywhere
        return np.dstack([pixels, np.full(pixels.shape[:2], 255, np.uint8)])
    return np.ascontiguousarray(pixels[..., :bands])


def _depth(scene: Scene, file: str, size: tuple[int, ...]) -> NDArray[np.uint16]:
    # Distances are no colours: they must not pass through colour management.
    depth = cv2.imread(str(scene.folder / file), cv2.IMREAD_UNCHANGED)
    if depth is None or depth.dtype != np.uint16 or depth.shape != size:
        raise BadScene(f"{scene.name}: the layer {file!r} is not 16-bit grey of the plate's size")
    return np.asarray(depth)
