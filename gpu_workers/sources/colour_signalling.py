"""How a picture file says its colours: every way, in one order, held against numbers and not names.

| order | signal | where | by |
|---|---|---|---|
| 1 | `cicp` | PNG's cICP | PNG, third edition, 11.3.2: cICP before iCCP before sRGB before gAMA and cHRM |
| 2 | `icc` | every format | HEIF and AVIF: a profile before nclx (MIAF, 7.3.6.4); JPEG: before EXIF (DCF 2.0) |
| 3 | `nclx` | HEIF, AVIF | ISO/IEC 23008-12, 6.5.5 |
| 4 | `srgb` | PNG's sRGB, BMP | PNG, 11.3.2.5; BITMAPV5HEADER |
| 5 | `gamma` | PNG's gAMA and cHRM, BMP's ends, TIFF's WhitePoint and its like (318, 319, 301) | TIFF 6.0, 20 |
| 6 | `exif` | ColorSpace; not sRGB and InteroperabilityIndex R03: Adobe RGB | EXIF 2.3, DCF 2.0 |
| 7 | `` | nothing of the kind: sRGB, or for inks the CMYK that libvips brings along | |

What says nothing usable (a profile that is broken, for other colours, a device link; numbers that cannot be) is noted
in `ignored`, and the next signal counts. Adobe's marker in a JPEG says how its samples are packed (inverted CMYK,
YCCK), not what they look like; libjpeg goes by it. HDR (PQ, HLG) is refused by name: how it would be toned down is a
matter of taste, and a product's colours are not. Moving pictures' curves (BT.709, BT.601, BT.2020) count as sRGB's:
they describe a camera, and files in which they stand were seen on sRGB's displays.
"""

import io
import struct
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import Any, Literal, cast

import numpy as np
import pyvips
from numpy.typing import NDArray
from PIL import ImageCms

from gpu_workers.imaging import icc, wide_gamut
from gpu_workers.imaging.colour_difference import ciede2000
from gpu_workers.imaging.containers import Blocks, CodePoints
from gpu_workers.imaging.containers.tiff import COLOUR_SPACE, INTEROPERABILITY_INDEX, exif_directories
from gpu_workers.imaging.icc import SRGB_CURVE, SRGB_XY, WHITE_XY, Primaries, Xy
from gpu_workers.sources.errors import UnreadPicture

Model = Literal["RGB", "GRAY", "CMYK", "LAB"]
PROFILE = "icc-profile-data"  # libvips' name for a picture's profile

_SAME_DELTA_E = 0.5  # half of what a trained eye sees: such a profile is sRGB, and its samples are not touched
_GAMMA, _GAMMA_OFF = 2.2, 0.05  # libpng's PNG_GAMMA_THRESHOLD: what is closer counts as sRGB's
_POINTS_OFF = 0.01  # x and y; libpng's tolerance for sRGB's end points
_GAMMA_MAX = 8.0
_CLASSES = (b"scnr", b"mntr", b"prtr", b"spac")
_DEVIATIONS_KEPT = 32

_C, _DCI = (0.310, 0.316), (0.314, 0.351)
_PRIMARIES: dict[int, tuple[Primaries, Xy]] = {
    1: (SRGB_XY, WHITE_XY),
    4: (((0.67, 0.33), (0.21, 0.71), (0.14, 0.08)), _C),
    5: (((0.64, 0.33), (0.29, 0.60), (0.15, 0.06)), WHITE_XY),
    6: (((0.630, 0.340), (0.310, 0.595), (0.155, 0.070)), WHITE_XY),
    7: (((0.630, 0.340), (0.310, 0.595), (0.155, 0.070)), WHITE_XY),
    8: (((0.681, 0.319), (0.243, 0.692), (0.145, 0.049)), _C),
    9: (((0.708, 0.292), (0.170, 0.797), (0.131, 0.046)), WHITE_XY),
    11: (((0.680, 0.320), (0.265, 0.690), (0.150, 0.060)), _DCI),
    12: (((0.680, 0.320), (0.265, 0.690), (0.150, 0.060)), WHITE_XY),
    22: (((0.630, 0.340), (0.295, 0.605), (0.155, 0.077)), WHITE_XY),
}
"""ITU-T H.273, table 2: the primaries and the white of each number; those of XYZ (10) are no colours."""
_CURVES: dict[int, tuple[float, ...]] = {
    **dict.fromkeys((1, 6, 13, 14, 15), SRGB_CURVE),
    4: (2.2,),
    5: (2.8,),
    8: (1.0,),
}
"""ITU-T H.273, table 3."""
_HDR = {16: "PQ (SMPTE ST 2084)", 18: "HLG (ARIB STD-B67)"}
_UNSPECIFIED = 2
_ADOBE_RGB_XY: Primaries = ((0.64, 0.33), (0.21, 0.71), (0.15, 0.06))
_ADOBE_RGB_GAMMA = 563 / 256
_SRGB_SPACE, _ADOBE_SPACE, _UNCALIBRATED = 1, 2, 0xFFFF


class _Unusable(ValueError):
    """What says the colours says nothing that could be."""


@dataclass(frozen=True)
class Colours:
    """What a file's samples mean.

    `signal` is the way that counted. `profile` is the ICC profile to read them by, empty where they are sRGB's already,
    or inks without a profile. `name` is the name of the file's own profile. `more_vivid` says whether there are colours
    that sRGB has not; `as_rgb` that grey samples stand for red, green and blue alike. `ignored` are the signals that
    said nothing usable, with the reason.
    """

    signal: str = ""
    profile: bytes = b""
    name: str = ""
    more_vivid: bool = False
    as_rgb: bool = False
    ignored: tuple[str, ...] = ()

    @property
    def is_srgb(self) -> bool:
        """Whether the file says that it is sRGB, by its numbers."""
        return self.signal != "" and not self.profile


SRGB = Colours()


def colours_of(blocks: Blocks, model: Model, uri: str = "") -> Colours:
    """The colours of a picture of this colour model. Raises UnreadPicture for HDR."""
    ignored: list[str] = []
    for signal, read in _SIGNALS.items():
        try:
            profile = read(blocks, model)
            if profile is not None:
                return _colours(signal, profile, model, tuple(ignored))
        except _Unusable as error:
            ignored.append(f"{signal}: {error}")
        except _Hdr as error:
            raise UnreadPicture(uri, f"an HDR picture, its samples are {error}; a standard one is needed") from error
    return Colours(ignored=tuple(ignored))


class _Hdr(Exception):
    """Samples of another meaning than light between black and white."""


def _colours(signal: str, profile: bytes, model: Model, ignored: tuple[str, ...]) -> Colours:
    name = _name(profile) if signal == "icc" else ""
    if not profile or (model in ("RGB", "GRAY") and _deviation(profile, model) <= _SAME_DELTA_E):
        return Colours(signal, name=name, ignored=ignored)
    is_rgb = profile[16:20] == b"RGB "
    return Colours(
        signal,
        profile,
        name,
        more_vivid=model == "RGB" and is_rgb and _is_more_vivid(profile),
        as_rgb=model == "GRAY" and is_rgb,
        ignored=ignored,
    )


def _by_cicp(blocks: Blocks, model: Model) -> bytes | None:
    points = blocks.cicp
    if points is None or model not in ("RGB", "GRAY"):
        return None
    if points.matrix != 0 or not points.full_range:
        raise _Unusable("only RGB of full range is a PNG's")
    return _of_points(points)


def _by_nclx(blocks: Blocks, model: Model) -> bytes | None:
    return None if blocks.nclx is None or model not in ("RGB", "GRAY") else _of_points(blocks.nclx)


def _of_points(points: CodePoints) -> bytes | None:
    if points.transfer in _HDR:
        raise _Hdr(_HDR[points.transfer])
    if points.primaries == points.transfer == _UNSPECIFIED:
        return None
    # One of the two may stay unspecified: it is sRGB's then.
    primaries = _PRIMARIES.get(1 if points.primaries == _UNSPECIFIED else points.primaries)
    curve = _CURVES.get(13 if points.transfer == _UNSPECIFIED else points.transfer)
    if primaries is None or curve is None:
        raise _Unusable(f"primaries {points.primaries} with transfer {points.transfer} are not known")
    return _made(primaries[0], curve, primaries[1])


def _by_icc(blocks: Blocks, model: Model) -> bytes | None:
    profile = blocks.icc
    if not profile or model == "LAB":  # Lab needs no profile, whatever one is there
        return None
    points = icc.tag(profile, b"cicp")
    if points[8:9] and points[9] in _HDR:
        raise _Hdr(_HDR[points[9]])
    kind, space = profile[12:16], profile[16:20].strip().decode("latin-1")
    if kind not in _CLASSES:
        raise _Unusable(f"a profile of the class {kind!r} says nothing of a picture")
    if space != model and not (space == "RGB" and model == "GRAY"):
        raise _Unusable(f"its profile is for {space} and not for {model}")
    _deviation(profile, model)
    return profile


def _by_srgb(blocks: Blocks, model: Model) -> bytes | None:
    return b"" if blocks.srgb and model in ("RGB", "GRAY") else None


def _by_gamma(blocks: Blocks, model: Model) -> bytes | None:
    numbers = (blocks.gamma, blocks.primaries, blocks.curve or None)
    if numbers == (None, None, None) or model not in ("RGB", "GRAY"):
        return None
    gamma, primaries, white = blocks.gamma or _GAMMA, blocks.primaries or SRGB_XY, blocks.white or WHITE_XY
    if not 1 / _GAMMA_MAX <= gamma <= _GAMMA_MAX:
        raise _Unusable(f"a gamma of {gamma:.3g}")
    if abs(gamma / _GAMMA - 1) <= _GAMMA_OFF and not blocks.curve and _are_srgbs(primaries, white):
        return b""
    curve = blocks.curve or (SRGB_CURVE if blocks.gamma is None else (gamma,))
    return icc.grey_profile("grey", curve) if model == "GRAY" else _made(primaries, curve, white)


def _are_srgbs(primaries: Primaries, white: Xy) -> bool:
    return bool(np.abs(np.array([*primaries, white]) - [*SRGB_XY, WHITE_XY]).max() <= _POINTS_OFF)


def _by_exif(blocks: Blocks, model: Model) -> bytes | None:
    if model not in ("RGB", "GRAY"):
        return None
    directories = list(exif_directories(blocks.exif))
    space = next(filter(None, (each.number(COLOUR_SPACE) for each in directories)), 0)
    adobe = any(each.bytes_of(INTEROPERABILITY_INDEX).startswith(b"R03") for each in directories[2:])
    if space == _ADOBE_SPACE or (space == _UNCALIBRATED and adobe):
        return _made(_ADOBE_RGB_XY, (_ADOBE_RGB_GAMMA,), WHITE_XY)
    return b"" if space == _SRGB_SPACE else None


_SIGNALS: dict[str, Callable[[Blocks, Model], bytes | None]] = {
    "cicp": _by_cicp,
    "icc": _by_icc,
    "nclx": _by_nclx,
    "srgb": _by_srgb,
    "gamma": _by_gamma,
    "exif": _by_exif,
}


def _made(primaries: Primaries, curve: tuple[float, ...], white: Xy) -> bytes:
    try:
        return icc.matrix_profile("as the file says", primaries, curve, white)
    except (ArithmeticError, ValueError, np.linalg.LinAlgError, struct.error) as error:
        raise _Unusable(f"primaries {primaries} under {white} are none") from error


def _name(profile: bytes) -> str:
    try:
        return ImageCms.getProfileDescription(_opened(profile)).strip() or "unnamed"
    except ImageCms.PyCMSError:
        return "unnamed"


def _opened(profile: bytes) -> ImageCms.ImageCmsProfile:
    try:
        return ImageCms.ImageCmsProfile(io.BytesIO(profile))
    except (OSError, ImageCms.PyCMSError) as error:
        raise _Unusable("its colour profile cannot be read") from error


def _is_more_vivid(profile: bytes) -> bool:
    inside = _opened(profile).profile
    colorants = (inside.red_colorant, inside.green_colorant, inside.blue_colorant)
    if None in colorants:
        return True  # a table of colours: whether sRGB has them all is not to be seen from outside
    return wide_gamut.holds_more(np.array([xyz for xyz, _ in cast(Any, colorants)]))


@lru_cache(maxsize=_DEVIATIONS_KEPT)
def _deviation(profile: bytes, model: Model) -> float:
    """The largest ΔE00 between what the profile makes of samples and what sRGB does; infinite for inks.

    Raises _Unusable for a profile that LittleCMS cannot use on them.
    """
    as_rgb = profile[16:20] == b"RGB "
    _try(profile, "RGB" if as_rgb else model)
    samples = _samples("RGB" if as_rgb else model, grey=model == "GRAY")
    image = _image(samples, "RGB" if as_rgb else model)
    image.set_type(pyvips.GValue.blob_type, PROFILE, profile)
    try:
        lab = image.icc_import(embedded=True, intent="relative", black_point_compensation=True).numpy()
    except pyvips.Error as error:
        raise _Unusable("its colour profile cannot be used") from error
    if not np.isfinite(lab).all():
        raise _Unusable("its colour profile gives no colours")
    return float(ciede2000(lab, _srgb_lab(model == "GRAY")).max()) if model != "CMYK" else np.inf


def _try(profile: bytes, model: Model) -> None:
    """Raises _Unusable where LittleCMS cannot go by the profile; libvips would take sRGB for it, and not say so."""
    mode = {"RGB": "RGB", "GRAY": "L", "CMYK": "CMYK"}[model]
    try:
        ImageCms.buildTransform(_opened(profile), ImageCms.createProfile("LAB"), mode, "LAB")
    except ImageCms.PyCMSError as error:
        raise _Unusable("its colour profile cannot be used") from error


@cache
def _srgb_lab(grey: bool) -> NDArray[np.float32]:
    image = _image(_samples("RGB", grey=grey), "RGB")
    return np.asarray(image.icc_import(input_profile="srgb", embedded=False, intent="relative").numpy())


def _samples(model: Model, *, grey: bool) -> NDArray[np.uint8]:
    """(1, n, bands): a grid of colours and a ramp of greys, or the ramp alone."""
    bands = {"RGB": 3, "GRAY": 1, "CMYK": 4}[model]
    ramp = np.repeat(np.arange(0, 256, 3, dtype=np.uint8), bands).reshape(1, -1, bands)
    if grey:
        return ramp
    levels = np.linspace(0, 255, 6 if bands == 3 else 3).astype(np.uint8)
    grid = np.stack(np.meshgrid(*[levels] * bands), axis=-1).reshape(1, -1, bands)
    return np.concatenate([grid, ramp], axis=1)


def _image(samples: NDArray[np.uint8], model: Model) -> Any:
    interpretation = {"RGB": "srgb", "GRAY": "b-w", "CMYK": "cmyk"}[model]
    return pyvips.Image.new_from_array(np.ascontiguousarray(samples)).copy(interpretation=interpretation)
