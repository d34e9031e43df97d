"""Virtual mannequins: folders with a `model.yaml` and a mesh; those that ship lie beside this module.

A mesh is an adult body at ease, and the same with its arms out, with a base layer on from the chest line to below the
frame. Lengths are metres in the body's own space: x to the viewer's right, y away from the camera, z up, the ground at
0. The camera is level, on the axis x = 0, its frame cropped at the chin.
"""

import io
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
import numpy as np
from msgspec import Meta
from numpy.typing import NDArray

from schemas import documents
from schemas.channels import Share
from schemas.decoding import prepare
from schemas.errors import InputError
from schemas.records import Name

FILE = "model.yaml"
UNIT_M = 1e-4  # of the mesh file's whole numbers
ADULT_YEARS = 18
Metre = Annotated[float, Meta(ge=-20.0, le=20.0)]
Length = Annotated[float, Meta(gt=0.0, le=20.0)]
Vector = tuple[Metre, Metre, Metre]
BodySize = Literal["XS", "S", "M", "L", "XL", "2XL", "3XL", "4XL", "5XL"]
Joint = Literal["neck", "shoulder_left", "shoulder_right", "elbow_left", "elbow_right", "hip_left", "hip_right"]
_ARRAYS = {"start": 3, "stands": 3, "faces": 4, "fine": 3, "fine_faces": 4}
_SHARES, _FULL = ("covered", "arms"), 255


class BadModel(InputError, ValueError):
    """A virtual model that is not there or not well formed; the message names it and what is wrong."""

    code = "bad_model"
    field = "model"


class Box(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A soft box: a square lamp at `place_m` that looks at `target_m`; `watts` as Blender counts an area light's."""

    name: Name
    place_m: Vector
    target_m: Vector
    side_m: Length
    watts: Annotated[float, Meta(gt=0.0, le=100_000.0)]


class Light(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """All light in the plate: soft boxes, the room's radiance, and the paper's colour in linear light."""

    boxes: Annotated[tuple[Box, ...], Meta(min_length=1)]
    room: Annotated[float, Meta(ge=0.0, le=100.0)]
    paper: tuple[Share, Share, Share]


class Camera(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`distance_m` before the plane y = 0, in which the frame reaches from `bottom_m` to `top_m`."""

    distance_m: Length
    top_m: Length
    bottom_m: Annotated[float, Meta(ge=0.0, le=20.0)]


class Model(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, dict=True):
    """A virtual mannequin as its file describes it. Nobody younger than an adult is one.

    `mesh` holds, in whole tenths of a millimetre, the body with its arms out (`start`) and as it stands (`stands`),
    their `faces`, and the latter as it is drawn (`fine`, `fine_faces`), with how much of the base layer is over each of
    its points (`covered`, 0..255; from the half on it is) and how much of it an arm moves (`arms`). `chest_cm` is the
    girth.
    """

    name: Name
    version: Annotated[int, Meta(ge=1)]
    title: str
    source: str
    licence: str
    virtual: Literal[True]
    age_years: Annotated[int, Meta(ge=ADULT_YEARS, le=120)]
    presents: Literal["woman", "man"]
    size: BodySize
    height_cm: Annotated[float, Meta(ge=120.0, le=230.0)]
    chest_cm: Annotated[float, Meta(ge=50.0, le=200.0)]
    mesh: str
    camera: Camera
    light: Light
    joints_m: dict[Joint, Vector]
    folder: Path = Path()

    def files(self) -> Iterator[str]:
        """The files it names."""
        yield self.mesh

    @cached_property
    def joints(self) -> dict[str, NDArray[np.float64]]:
        """Where its joints are, (3,) m, with its arms out."""
        return {str(name): np.array(at, np.float64) for name, at in self.joints_m.items()}

    @cached_property
    def arrays(self) -> dict[str, NDArray[Any]]:
        """The mesh: points float64 (n, 3) in metres, faces int32 (m, 4). Raises BadModel."""
        try:
            with np.load(io.BytesIO((self.folder / self.mesh).read_bytes()), allow_pickle=False) as file:
                found = {name: file[name] for name in (*_ARRAYS, *_SHARES)}
        except (OSError, EOFError, ValueError, KeyError, TypeError, zipfile.BadZipFile, zlib.error) as error:
            raise BadModel(f"{self.name}: {self.mesh}: {error}") from error
        for name, columns in _ARRAYS.items():
            if found[name].ndim != 2 or found[name].shape[1] != columns:
                raise BadModel(f"{self.name}: {self.mesh}: {name!r} is not (n, {columns})")
        shares = {name: found.pop(name).astype(np.float64) / _FULL for name in _SHARES}
        if any(each.shape != found["fine"].shape[:1] for each in shares.values()):
            raise BadModel(f"{self.name}: {self.mesh}: {' and '.join(_SHARES)} must have a value for each point")
        points: dict[str, NDArray[Any]] = {
            name: each.astype(np.int32) if name.endswith("faces") else each.astype(np.float64) * UNIT_M
            for name, each in found.items()
        }
        return {**points, **shares}


def shipped_folder() -> Path:
    """Where the models lie that ship."""
    return Path(__file__).parent


def find(*folders: Path) -> Mapping[str, Path]:
    """The models in these folders by name; a later folder's stand in for an earlier one's of the same name."""
    return {
        each.name: each
        for folder in folders
        for each in sorted(folder.iterdir() if folder.is_dir() else ())
        if (each / FILE).is_file()
    }


def load(folder: Path) -> Model:
    """The model of a folder. Raises BadModel naming the field, or the file that is not there."""
    try:
        model = documents.decode((folder / FILE).read_bytes(), Model)
    except (OSError, msgspec.MsgspecError) as error:
        raise BadModel(f"{folder.name}: {error}") from error
    if model.name != folder.name:
        raise BadModel(f"{folder.name}: `name` is {model.name!r}, not its folder's name")
    for file in model.files():
        if not (folder / file).resolve().is_relative_to(folder.resolve()) or not (folder / file).is_file():
            raise BadModel(f"{folder.name}: the file {file!r} is not in its folder")
    return msgspec.structs.replace(model, folder=folder)


prepare(Model)
