"""What every operation of the table keeps: depth and vivid colours to the last step, the product, and its bytes.

The cutout's own are in test_cutout, and those of its file in test_wide_gamut.
"""

from dataclasses import replace
from functools import cache

import cv2
import msgspec
import numpy as np
import pytest
from numpy.typing import NDArray

from gpu_workers.imaging.linear_light import eight_bit, to_linear
from gpu_workers.imaging.metadata import Metadata
from gpu_workers.imaging.types import Codes
from gpu_workers.library import brands, scenes, templates
from gpu_workers.operations.base import Composed, ComposeRequest, Library, compose
from gpu_workers.sources.decoding import Picture, decode
from schemas import channels
from schemas.channels import Size
from schemas.operations import OPERATIONS
from tests.gpu_workers.products import mug
from tests.gpu_workers.test_decoding import p3

LIBRARY = Library(
    scenes=scenes.find(scenes.shipped_folder()),
    brands=brands.find(brands.shipped_folder()),
    templates=templates.find(templates.shipped_folder()),
)
PARAMETERS = {
    "artwork": {"template": "poster"},
    "label": {"when": "always"},
    "mockup": {"scene": "studio-podium", "height_cm": "12"},
    "packshot": {"shadow.mode": "soft"},
    "showcase": {"scene": "studio-podium", "height_cm": "12", "size_px": "360", "duration_s": "1", "fps": "10"},
    "style": {"brand": "earthy", "lut": "crisp"},
    "transparent": {},
    "upscale": {},
}
# What tells how far the product is from its source, in 8-bit steps or, where its colours may change, as a median ΔE00.
HELD = {
    "artwork": "print_de00_median",
    "label": "product_delta_e_median",
    "mockup": "canvas_difference_max",
    "packshot": "canvas_difference_max",
    "showcase": "canvas_difference_max",
    "style": "product_delta_e_median",
    "transparent": "canvas_difference_max",
    "upscale": "back_projection_max",
}
RELIT = {"mockup": "product_delta_e_median", "packshot": "colour_difference_median"}
REDRAWN = {"model"}  # cloth is drawn anew, of garments alone: test_model_operation has what that keeps
COMPOSED = [name for name, each in OPERATIONS.items() if each.pool == "compose" and name not in REDRAWN]
EVERY = pytest.mark.parametrize("operation", COMPOSED)
STEP = 257


def vivid(stepped: bool = False) -> bytes:
    """A 16-bit Display P3 cut-out's file: its upper half P3's red, its lower a fine grey ramp; or one of 256 levels."""
    pixels = np.zeros((640, 560, 4), np.uint16)
    pixels[40:600, 40:520, 3] = 65535
    pixels[40:320, 40:520, :3] = (65535, 0, 0)
    ramp = np.linspace(25_000, 60_000, 480)[:, None]
    pixels[320:600, 40:520, :3] = np.rint(ramp / STEP) * STEP if stepped else ramp
    return p3(pixels)


def flat() -> Picture:
    """An 8-bit sRGB cut-out, with an edge as soft as a photograph's."""
    pixels = cv2.resize(mug(), None, fx=3, fy=3, interpolation=cv2.INTER_LINEAR)
    alpha = cv2.GaussianBlur(np.where(pixels[..., 3] < 128, np.uint8(0), np.uint8(255)), (3, 3), 0)
    return Picture(np.dstack([pixels[..., :3], alpha]).astype(np.uint8), "image/png", 8, True, "", 1, 1, Metadata())


def made(operation: str, source: Picture, *, is_asset: bool, **more: str) -> Composed:
    """What comes of a cut-out; a style and a label have the packshot's picture before them."""
    rules = channels.load("web" if operation == "transparent" else "shopify")
    rules = msgspec.structs.replace(rules, canvas=Size(640, 640), smallest=Size(300, 300), formats=("png",))
    inputs = [source]
    if operation in ("label", "style"):
        packshot = compose("packshot", inputs, ComposeRequest(rules, {"background.color": "#C8B090"}, "", False, True))
        inputs = [decode(file.data) for file in packshot.files]
    parameters = PARAMETERS[operation] | more
    return compose(operation, inputs, ComposeRequest(rules, parameters, "", is_asset, not is_asset, LIBRARY))


@cache
def cutout(name: str) -> Picture:
    """The cut-out of that name; nobody changes its pixels."""
    return flat() if name == "flat" else decode(vivid(stepped=name == "stepped"))


@cache
def of(operation: str, name: str, *, is_asset: bool) -> Composed:
    """What comes of the cut-out of that name: several tests look at the same."""
    return made(operation, cutout(name), is_asset=is_asset)


def picture(composed: Composed) -> Codes:
    return decode(composed.files[0].data).pixels


def halves(pixels: Codes) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Where the red and the ramp are, well away from their edges."""
    light = to_linear(pixels[..., :3])
    strongest = light.max(axis=2)
    red = (light[..., 0] > 4 * np.abs(light[..., 1])) & (strongest > 0.1)
    rows, columns = np.flatnonzero(red.mean(axis=1) > 0.1), np.flatnonzero(red.mean(axis=0) > 0.1)
    deep, wide = rows[-1] - rows[0], columns[-1] - columns[0]
    upper, lower = np.zeros_like(red), np.zeros_like(red)
    within = slice(columns[0] + wide // 6, columns[-1] - wide // 6)
    upper[rows[0] + deep // 6 : rows[-1] - deep // 6, within] = True
    lower[rows[-1] + deep // 6 : rows[-1] + deep - deep // 6, within] = True
    return upper, lower


@EVERY
def test_vivid_colours_and_fine_levels_are_there_till_a_channels_file_is_written(operation: str) -> None:
    found, stepped = (picture(of(operation, name, is_asset=False)) for name in ("deep", "stepped"))
    assert found.dtype == np.uint16
    red, ramp = halves(found)
    light = to_linear(found[..., :3])[red]
    assert (light.min(axis=1) < -0.01 * light.max(axis=1)).mean() > 0.99
    between = np.abs(found[..., :3].astype(int) - stepped[..., :3])[ramp].max(axis=1)
    assert np.percentile(between, 75) > STEP / 16
    assert np.percentile(between, 99) < STEP
    written = picture(of(operation, "deep", is_asset=True))
    assert written.dtype == np.uint8
    assert np.array_equal(written, eight_bit(found)[..., : written.shape[2]])


@EVERY
@pytest.mark.parametrize("name", ["flat", "deep"])
def test_the_product_stays_as_it_was(operation: str, name: str) -> None:
    assert of(operation, name, is_asset=True).measures[HELD[operation]] <= 2


@pytest.mark.parametrize("operation", sorted(RELIT))
@pytest.mark.parametrize("name", ["flat", "deep"])
def test_a_product_in_other_light_stays_within_the_cap(operation: str, name: str) -> None:
    lit = replace(cutout(name), metadata=Metadata("", (0.5, 0.6, 0.7)))
    how = {"lighting.mode": "both" if operation == "mockup" else "auto"}
    measures, as_it_was = (
        made(operation, lit, is_asset=True, **how).measures,
        made(operation, lit, is_asset=True).measures,
    )
    assert as_it_was[RELIT[operation]] + 0.2 < measures[RELIT[operation]] <= 2


@EVERY
@pytest.mark.parametrize("name", ["flat", "deep"])
def test_equal_pictures_give_equal_bytes(operation: str, name: str) -> None:
    again = replace(cutout(name), pixels=cutout(name).pixels.copy())
    one, two = of(operation, name, is_asset=False), made(operation, again, is_asset=False)
    assert [file.data for file in one.files] == [file.data for file in two.files]


@pytest.mark.parametrize("operation", ["mockup", "packshot", "transparent"])
def test_what_goes_on_is_measured_as_what_is_written(operation: str) -> None:
    """The one is of 16 bits and the other a file of sRGB, without loss here."""
    unwritten, written = (of(operation, "deep", is_asset=each).measures for each in (False, True))
    name = "product_difference_max" if operation == "mockup" else "product_difference_mean"
    assert unwritten[name] == pytest.approx(written[name], abs=0.1)
