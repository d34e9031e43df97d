"""The label's pixel half: white words on a dark plate in a corner, in the file for everybody to see."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from gpu_workers.imaging.colour_difference import ciede2000, srgb_to_lab
from gpu_workers.imaging.linear_light import coded, colour, eight_bit, to_linear
from gpu_workers.imaging.types import HALF, Code, Codes
from gpu_workers.operations.base import BadInputs, ComposeRequest, Made, Memory, facts, metadata_of
from gpu_workers.operations.packshot.measures import measure_restyled
from gpu_workers.quality.files import read
from gpu_workers.sources.decoding import Picture
from schemas.disclosures.applying import duties, made_as, shipped
from schemas.operations.label import Corner, LabelParameters, Language
from schemas.records import Provenance

MEMORY = Memory(20, 20, 20)

# Set by hand, none is fitted.
_TEXT_SHARE, _TEXT_PX = 0.028, 11  # of the picture's shorter side, and at least: how large the letters are
_PADDING, _APART = 0.5, 0.5  # of the letters' size, within the plate, and between it and the picture's edge
_WIDTH_SHARE = 0.9  # of the picture's width: a longer label is written smaller
_SAMPLES = 40_000  # pixels of the product, enough for a median and a 95th percentile
_INK, _PLATE = 255, 26  # code values
_EVER_MS = 253_402_214_400_000  # the last day of 9999: by rules to come as by those that hold

_CORNERS: tuple[Corner, ...] = ("bottom-right", "bottom-left", "top-right", "top-left")
# Of a picture that a network made, and of a real product in what one made.
TEXTS: dict[Language, tuple[str, str]] = {
    "de": ("KI-generiert", "Mit KI bearbeitet"),
    "en": ("AI-generated", "AI-modified"),
    "es": ("Generado con IA", "Modificado con IA"),
    "fr": ("Image par IA", "Retouche par IA"),
    "it": ("Generato con IA", "Modificato con IA"),
    "nl": ("Gemaakt met AI", "Bewerkt met AI"),
    "pl": ("Wygenerowane przez AI", "Zmodyfikowane przez AI"),
    "pt": ("Gerado com IA", "Modificado com IA"),
    "sv": ("AI-genererad", "AI-redigerad"),
}


@dataclass(frozen=True, kw_only=True)
class Labelled(Made):
    """A picture with its label in `plate` (rows, columns), None where no rule demands one; `product` is its mask."""

    plate: tuple[slice, slice] | None
    product: Code


def run(inputs: Sequence[Picture], request: ComposeRequest) -> Labelled:
    """The picture of the step before with a label; the second input is its product's mask."""
    if len(inputs) != 2 or inputs[0].pixels.shape[2] != 3:
        raise BadInputs("a label is for a picture without holes and its product's mask, as the step before makes them")
    source, parameters = inputs[0], LabelParameters.parse(request.parameters)
    mask, canvas, plate = eight_bit(inputs[1].pixels)[..., 0], source.pixels, None
    how = made_as(Provenance(source_type=source.metadata.source_type), []).made
    if parameters.when == "always" or demanded(source.metadata.source_type, request.channel.name):
        canvas, plate = labelled(canvas, mask, TEXTS[parameters.language][how != "generated"], parameters.corner)
    metadata = metadata_of(source, source.metadata.source_type)
    return Labelled(canvas=canvas, mask=mask, metadata=metadata, transform=np.eye(3), plate=plate, product=mask)


def demanded(source_type: str, channel: str) -> bool:
    """Whether a rule wants a label on a picture of which IPTC's term is `source_type`, people in it or not."""
    made = made_as(Provenance(source_type=source_type), [])
    return any(each.kind == "label" for each in duties(made, channel, _EVER_MS))


def fingerprint(_request: ComposeRequest) -> str:
    """The rules that ship."""
    return ",".join(f"{each.name}@{each.version}" for each in shipped())


def measure(file: bytes, made: Labelled, request: ComposeRequest) -> dict[str, float]:
    """The file, what it shows of product and ground, and if the label is in it as it was written."""
    rules, written = request.channel, eight_bit(read(file).pixels)
    ground = colour(rules.background) if rules.background_required and rules.background else None
    return {
        **facts(file, request),
        **measure_restyled(file, made.canvas, made.product, ground),
        "label_shown": float(made.plate is not None),
        **_plate_measures(written, made),
        **_product_measures(written, made),
    }


def _product_measures(written: Code, made: Labelled) -> dict[str, float]:
    """By how much the product beside the label changed; nothing where none of it is."""
    core = made.product == 255
    if made.plate is not None:
        core[made.plate] = False
    rows, columns = np.nonzero(core)
    few = slice(None, None, max(len(rows) // _SAMPLES, 1))
    if not len(rows):
        return {}
    at = rows[few], columns[few]
    apart = ciede2000(srgb_to_lab(written[at][:, :3]), srgb_to_lab(eight_bit(made.canvas[at])))
    return {"product_delta_e_median": float(np.median(apart)), "product_delta_e_p95": float(np.percentile(apart, 95))}


def labelled(canvas: Codes, mask: Code, text: str, corner: Corner) -> tuple[Codes, tuple[slice, slice]]:
    """`canvas` (h, w, 3) with a plate that says `text`, and where that is; `mask` (h, w) is the product's alpha."""
    plate = _written(text, canvas.shape[1], min(canvas.shape[:2]))
    places = {name: _placed(name, plate.shape, canvas.shape) for name in _CORNERS}
    least = min(_CORNERS, key=lambda name: int((mask[places[name]] >= HALF).sum()))
    where = places[least if corner == "auto" else corner]
    out = canvas.copy()
    grey = np.repeat(plate[..., None], 3, axis=2)[: out[where].shape[0], : out[where].shape[1]]
    out[where] = coded(to_linear(grey), out.dtype)
    return out, where


def _written(text: str, width_px: int, shorter_px: int) -> Code:
    """The plate (h, w), code values of grey."""
    size = max(_TEXT_PX, round(_TEXT_SHARE * shorter_px))
    size = max(1, min(size, int(size * _WIDTH_SHARE * width_px / (_extent(text, size)[0] + 2 * _PADDING * size))))
    font, padding = ImageFont.load_default(size), round(_PADDING * size)
    width, height = _extent(text, size)
    image = Image.new("L", (width + 2 * padding, height + 2 * padding), _PLATE)
    left, top, _, _ = font.getbbox(text)
    ImageDraw.Draw(image).text((padding - left, padding - top), text, _INK, font)
    return np.asarray(image, np.uint8)


def _extent(text: str, size: int) -> tuple[int, int]:
    left, top, right, bottom = ImageFont.load_default(size).getbbox(text)
    return max(1, round(right - left)), max(1, round(bottom - top))


def _placed(corner: Corner, plate: tuple[int, ...], canvas: tuple[int, ...]) -> tuple[slice, slice]:
    gap = round(_APART * plate[0] / (1 + 2 * _PADDING))
    vertical, horizontal = corner.split("-")
    top = gap if vertical == "top" else max(0, canvas[0] - gap - plate[0])
    left = gap if horizontal == "left" else max(0, canvas[1] - gap - plate[1])
    return slice(top, top + plate[0]), slice(left, left + plate[1])


def _plate_measures(written: Code, made: Labelled) -> dict[str, float]:
    if made.plate is None:
        return {"label_off": 0.0, "label_over_product": 0.0}
    meant, solid = eight_bit(made.canvas[made.plate]), made.product >= HALF
    off = np.abs(written[made.plate][..., :3].astype(np.int16) - meant).mean()
    return {
        "label_off": float(off),
        "label_over_product": float(solid[made.plate].sum() / max(1, int(solid.sum()))),
        "label_height_px": float(meant.shape[0]),
    }
