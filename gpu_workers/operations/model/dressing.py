"""A cut-out top on a virtual mannequin: cut, hung on its body, drawn and lit together with it.

Body and cloth are one mesh before the camera and before every lamp, so what the garment shades on the body is as the
body shades the garment. The cloth has the cutout's own pixels; light only makes them darker or a little brighter.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gpu_workers.imaging.linear_light import coded
from gpu_workers.imaging.types import Codes, Flags, Plane
from gpu_workers.library.bodies import Model
from gpu_workers.operations.model import drape, raster
from gpu_workers.operations.model.cloth_colour import Texture, texture
from gpu_workers.operations.model.drape import Cloth, Points
from gpu_workers.operations.model.fine_cloth import FineCloth, fine_cloth
from gpu_workers.operations.model.laying import laid
from gpu_workers.operations.model.lighting import SoftBox, lamps, light, shadows
from gpu_workers.operations.model.outline import Outline
from gpu_workers.operations.model.pattern import Pattern
from gpu_workers.operations.model.raster import Camera, Triangles
from schemas.channels import Size
from schemas.operations.base import BadParameters

# Set by hand on the gallery's sheets, none is fitted.
_SAMPLES = 2  # a pixel's side: hems and sleeve ends are drawn at so many times the size
_BAND_ROWS = 96  # of the picture, which are drawn at once: memory does not grow with the picture
_IN_FRONT_M = 0.004  # cloth that is behind skin by less lies on it
_FOLD_M, _FOLD_CM = 0.035, 9.0  # so far behind skin, and so near an armhole, cloth is a fold that is drawn before it
_THROUGH_M = 0.03  # a body that is before cloth by less pokes through it, unless it is a forearm
_BRIGHT_PERCENTILE = 80.0  # of the light on the front, which is 1: the cutout's own pixels
_BRIGHTEST = 1.06
_INSIDE = 0.6  # of the light, within a collar and a sleeve: skin and cloth are close there
_BESIDE = 1.08  # of the body's width is the least that a frame shows
_LOWEST_M = 0.15  # above the ground: what is seen ends before the feet
_VIGNETTE = 0.10  # of the backdrop's light, lost towards its lower corners

Colour = tuple[float, float, float]


@dataclass(frozen=True)
class Look:
    """Linear light of a white lamp on the mannequin's surface, on the base layer, and of the backdrop."""

    body: Colour
    layer: Colour
    backdrop: Colour


@dataclass(frozen=True)
class Worn:
    """`canvas` (h, w, 3), as deep as the cutout; `mask` (h, w) uint8 the garment; `light` (h, w) on it, 0 elsewhere;
    `source` (h, w, 3) linear light of the cutout's pixels as they lie, before any light; `front` (h, w) where only its
    outer front is; `bare_share` of its pixels the body shows through."""

    canvas: Codes
    mask: NDArray[np.uint8]
    light: Plane
    source: Plane
    front: Flags
    bare_share: float
    cloth: Cloth
    cut: Pattern
    found: Outline
    model: Model


@dataclass(frozen=True)
class _Shone:
    """A mesh with the light on its points."""

    points: Points
    triangles: Triangles
    light: NDArray[np.float64]


@dataclass(frozen=True)
class _Stage:
    body: _Shone
    covered: NDArray[np.float64]
    cloth: _Shone
    fine: FineCloth
    texture: Texture
    outwards: NDArray[np.bool_]
    is_fold: NDArray[np.bool_]
    camera: Camera
    look: Look
    is_forearm: NDArray[np.bool_]


def hung(cut: Pattern, model: Model) -> Cloth:
    """The cloth at rest on the model."""
    mesh = model.arrays
    return drape.hang(cut, laid(cut, mesh["start"], model.joints), drape.wearer(model))


def framed(model: Model, size: Size) -> Camera:
    """The model's camera; in a frame so narrow that it would cut the arms off, one that sees more below. Raises
    BadParameters where that were the floor."""
    its = model.camera
    points = model.arrays["stands"]
    points = points[points[:, 2] > its.bottom_m]
    near = its.distance_m + points[:, 1]
    wide_m = 2 * float(np.abs(points[:, 0] / near).max()) * its.distance_m * _BESIDE
    tall_m = max(its.top_m - its.bottom_m, wide_m * size.height_px / size.width_px)
    if its.top_m - tall_m < _LOWEST_M:
        raise BadParameters(f"{size.width_px} x {size.height_px} is too narrow for a mannequin's arms", "outputSize")
    return Camera(its.distance_m, its.top_m, its.top_m - tall_m)


def dressed(cutout: Codes, found: Outline, cut: Pattern, cloth: Cloth, model: Model, look: Look, size: Size) -> Worn:
    """The model in what `cutout` (h, w, 4) shows, of which `cloth` is the drape, in a picture of `size`."""
    camera = framed(model, size)
    px_per_cm = size.height_px * _SAMPLES / (camera.top_m - camera.bottom_m) / 100
    stage = _staged(fine_cloth(cut, cloth, model), texture(cutout, cut, px_per_cm), camera, model, look)
    bands = list(_bands(stage, size))
    over, cover, lit, bare, front, poked = (np.concatenate([band[k] for band in bands]) for k in range(6))
    ratio = lit.sum(2) / np.maximum(bare.sum(2), 1e-6) * (cover > 1e-3)
    return Worn(
        canvas=coded(over, cutout.dtype),
        mask=np.rint(cover * 255).astype(np.uint8),
        light=ratio.astype(np.float32),
        source=bare / np.maximum(cover, 1e-3)[..., None],
        front=front > 0.999,
        bare_share=float(poked.sum(dtype=np.float64) / max(cover.sum(dtype=np.float64), 1.0)),
        cloth=cloth,
        cut=cut,
        found=found,
        model=model,
    )


def _staged(fine: FineCloth, colours: Texture, camera: Camera, model: Model, look: Look) -> _Stage:
    mesh = model.arrays
    halves = _halves(mesh["fine_faces"])
    count = len(mesh["fine"])
    points = np.vstack([mesh["fine"], fine.points])
    cast = np.vstack([mesh["stands"], fine.coarse])  # coarser meshes cast the same shadow
    casting = np.vstack([_halves(mesh["faces"]), fine.coarse_triangles + len(mesh["stands"])])
    casting = np.ascontiguousarray(casting, np.int32)
    _, normals = drape.skin_normals(mesh["fine"], mesh["fine_faces"])
    boxes = [
        SoftBox(np.array(each.place_m), np.array(each.target_m), each.side_m, each.watts / (np.pi * each.side_m**2))
        for each in model.light.boxes
    ]
    of = lamps(boxes, model.light.room, float(np.mean(model.light.paper)))
    on = light(points, np.vstack([normals, fine.normals]), of, shadows(of, cast, casting))
    front = fine.is_front_point & (fine.normals[:, 1] < -0.3)
    on /= np.percentile(on[count:][front], _BRIGHT_PERCENTILE)
    body = _Shone(mesh["fine"], halves, on[:count])
    worn = _Shone(fine.points, fine.triangles, np.minimum(on[count:], _BRIGHTEST))
    elbow_m = min(model.joints[f"elbow_{side}"][2] for side in ("left", "right"))
    is_forearm = (mesh["arms"] > 0.5) & (mesh["fine"][:, 2] < elbow_m)
    outwards = _outwards(fine, camera)
    to_armhole_cm = colours.cut.into_sleeve_cm(colours.cut.at_rest(fine.flat[fine.triangles].mean(1)))
    is_fold = np.abs(to_armhole_cm) < _FOLD_CM
    return _Stage(body, mesh["covered"], worn, fine, colours, outwards, is_fold, camera, look, is_forearm[halves[:, 0]])


def _halves(quads: Triangles) -> Triangles:
    return np.ascontiguousarray(np.vstack([quads[:, [0, 1, 2]], quads[:, [0, 2, 3]]]).astype(np.int32))


def _outwards(fine: FineCloth, camera: Camera) -> NDArray[np.bool_]:
    """Whether the camera sees a triangle's outer side."""
    corners = fine.points[fine.triangles]
    across = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    eye = np.array([0.0, -camera.distance_m, (camera.top_m + camera.bottom_m) / 2])
    return np.asarray((across * (eye - corners[:, 0])).sum(1) > 0)


def _bands(stage: _Stage, size: Size) -> Iterator[tuple[Plane, ...]]:
    """For each band of rows: the picture, the garment's cover, its lit light, its light unlit, its outer front's
    cover, and where the body shows through; linear light, (rows, w) or (rows, w, 3)."""
    tall, wide = size.height_px * _SAMPLES, size.width_px * _SAMPLES
    on_body, on_cloth = (stage.camera.seen(each.points, tall, wide) for each in (stage.body, stage.cloth))
    for top in range(0, size.height_px, _BAND_ROWS):
        rows = min(_BAND_ROWS, size.height_px - top)
        shift = [0.0, top * _SAMPLES, 0.0]
        body = raster.rasterise(on_body - shift, stage.body.triangles, rows * _SAMPLES, wide)
        cloth = raster.rasterise(on_cloth - shift, stage.cloth.triangles, rows * _SAMPLES, wide)
        ground = _backdrop(size, top, rows, stage.look)
        yield _band(stage, body, cloth, ground)


def _backdrop(size: Size, top: int, rows: int, look: Look) -> Plane:
    """Paper, a little darker towards the lower corners."""
    y = (top + np.arange(rows) + 0.5) / size.height_px
    x = (np.arange(size.width_px) + 0.5) / size.width_px * 2 - 1
    fall = 1 - _VIGNETTE * (0.6 * y[:, None] ** 2 + 0.4 * x[None] ** 2)
    return np.asarray((fall[..., None] * np.array(look.backdrop)).astype(np.float32))


def _band(stage: _Stage, body: raster.Buffer, cloth: raster.Buffer, ground: Plane) -> tuple[Plane, ...]:
    drawn = cloth.triangle >= 0
    behind = np.where(stage.is_fold[cloth.triangle], np.float32(_FOLD_M), np.float32(_IN_FRONT_M))
    seen = drawn & (cloth.depth < body.depth + behind)
    poked = (
        ~stage.is_forearm[body.triangle]
        & drawn
        & ~seen
        & (cloth.depth < body.depth + _THROUGH_M)
        & stage.outwards[cloth.triangle]
    )
    figure = body.triangle >= 0
    full = np.zeros((*drawn.shape, 13), np.float32)
    full[figure, 0:3], full[figure, 3] = _body_light(stage, body, figure), 1.0
    colour, alpha, lit, front = _cloth_light(stage, cloth, seen)
    shown = np.column_stack([alpha, colour * (alpha * lit)[:, None], colour * alpha[:, None], front * alpha])
    full[seen, 4:12] = shown
    full[seen, 0:4] *= (1 - alpha)[:, None]
    full[..., 12] = poked
    rows, wide = drawn.shape
    small = full.reshape(rows // _SAMPLES, _SAMPLES, wide // _SAMPLES, _SAMPLES, 13).mean((1, 3))
    rest = np.clip(1 - small[..., 3] - small[..., 4], 0.0, 1.0)[..., None]
    over = small[..., 0:3] + small[..., 5:8] + ground * rest
    return over, small[..., 4], small[..., 5:8], small[..., 8:11], small[..., 11], small[..., 12]


def _body_light(stage: _Stage, body: raster.Buffer, figure: Flags) -> Points:
    values = np.column_stack([stage.body.light, stage.covered])
    lit, covered = raster.interpolated(body, stage.body.triangles, values, figure).T
    colour = np.where((covered > 0.5)[:, None], np.array(stage.look.layer), np.array(stage.look.body))
    return np.asarray(colour * lit[:, None])


def _cloth_light(stage: _Stage, cloth: raster.Buffer, seen: Flags):  # type: ignore[no-untyped-def]
    """Of the cloth's samples: linear light unlit (n, 3), alpha, the light on them, whether it is the outer front."""
    values = np.column_stack([stage.fine.flat, stage.cloth.light])
    found = raster.interpolated(cloth, stage.cloth.triangles, values, seen)
    colour, alpha = stage.texture.at(found[:, :2])
    which = cloth.triangle[seen]
    outer = stage.outwards[which]
    lit = np.where(outer, found[:, 2], found[:, 2] * _INSIDE)
    return colour, alpha, lit, outer & stage.fine.is_front[which]
