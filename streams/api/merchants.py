"""Names that merchants know from others, Photoroom's and Claid's, as ours.

What is nested is told apart by dots. What we do anyway may be asked for; what we do otherwise is refused by its name.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from streams.api.problems import Problem

ADDRESS, FILE, UPLOAD = "source.uri", "image", "upload_id"
_ENVELOPES = ("parameters.", "operations.", "output.")
_SAME = {
    "imageUrl": ADDRESS,
    "image_url": ADDRESS,
    "input": ADDRESS,
    "uploadId": UPLOAD,
    "bg_color": "background.color",
    "heightCm": "height_cm",
    "marginTop": "margin.top",
    "marginRight": "margin.right",
    "marginBottom": "margin.bottom",
    "marginLeft": "margin.left",
    "resizing.fit": "scaling",
    "dpi": "export.dpi",
}
# What is done anyway, by the values that ask for it.
_ANYWAY = {
    "removeBackground": ("true",),
    "background.remove": ("true",),
    "background.remove.clipping": ("false",),
    "referenceBox": ("subjectBox",),
    "channels": ("rgba",),
    "despill": ("false", "true"),
    "crop": ("false",),
}
_FITS = {"bounds": "fit", "canvas": "fit", "fit": "fit", "crop": "fill", "cover": "fill", "fill": "fill"}
_ROOM = frozenset({"padding", "margin", "margin.top", "margin.right", "margin.bottom", "margin.left"})
_PERCENT = re.compile(r"([0-9]{1,3}(?:\.[0-9]+)?)%")
_HEX = re.compile(r"[0-9a-fA-F]{6}")
_COLOURS = {"white": "#FFFFFF", "black": "#000000"}
_WIDTH, _HEIGHT = "resizing.width", "resizing.height"


def flat(nested: Mapping[str, Any], under: str = "") -> Iterator[tuple[str, str]]:
    """Every value of a JSON object as text, by its path. Raises Problem for a list."""
    for name, value in nested.items():
        path = f"{under}{name}"
        if isinstance(value, Mapping):
            yield from flat(value, f"{path}.")
        elif isinstance(value, list):
            raise Problem("bad_parameters", f"{path} is a list; there is none here", field=path)
        elif value is not None:
            yield path, str(value).lower() if isinstance(value, bool) else str(value)


def ours(given: Mapping[str, str]) -> dict[str, str]:
    """Parameters under our names, with our values. Raises Problem."""
    named = dict(_sized({_inner(name): value for name, value in given.items()}))
    return {name: _value(name, value) for name, value in named.items() if not _is_done_anyway(name, value)}


def _inner(name: str) -> str:
    for envelope in _ENVELOPES:
        name = name.removeprefix(envelope)
    return _SAME.get(name, name)


def _sized(parameters: dict[str, str]) -> Iterator[tuple[str, str]]:
    """Width and height as one size."""
    width, height = parameters.pop(_WIDTH, None), parameters.pop(_HEIGHT, None)
    if (width is None) != (height is None):
        lacking = _HEIGHT if height is None else _WIDTH
        raise Problem("bad_parameters", f"a size has both sides: where is {lacking}?", field=lacking)
    if width is not None:
        yield "outputSize", f"{width}x{height}"
    yield from parameters.items()


def _is_done_anyway(name: str, value: str) -> bool:
    if name not in _ANYWAY:
        return False
    if value not in _ANYWAY[name]:
        raise Problem("bad_parameters", f"{name} is {' or '.join(_ANYWAY[name])} here, not {value!r}", field=name)
    return True


def _value(name: str, value: str) -> str:
    if name in _ROOM and (share := _PERCENT.fullmatch(value)):
        return f"{float(share[1]) / 100:.6g}"
    if name == "background.color":
        return f"#{value}" if _HEX.fullmatch(value) else _COLOURS.get(value.lower(), value)
    if name in ("shadow.mode", "lighting.mode"):
        return value.removeprefix("ai.")
    return _FITS.get(value, value) if name == "scaling" else value
