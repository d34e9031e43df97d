"""A colour cast that the photograph's ground shows comes off, as far as the product may change."""

import msgspec
import numpy as np
import pytest

from gpu_workers.imaging.colour_difference import ciede2000, light_to_lab
from gpu_workers.imaging.encoding import lossless
from gpu_workers.imaging.linear_light import to_linear
from gpu_workers.imaging.metadata import Metadata
from gpu_workers.operations.base import Composed, ComposeRequest, compose
from gpu_workers.operations.cutout.cutout import Cutout
from gpu_workers.operations.cutout.operation import metadata_of
from gpu_workers.operations.packshot.lighting import CHANGE_MAX, NO_CHANGE, background_of, correction
from gpu_workers.operations.packshot.packshot import packshot
from gpu_workers.sources.decoding import Picture, decode
from schemas import channels
from schemas.channels import Channel, Size
from schemas.operations.packshot import PackshotParameters
from tests.gpu_workers.products import block, mug
from tests.gpu_workers.test_decoding import written

AUTO = PackshotParameters(lighting_mode="auto")
WARM = (0.62, 0.58, 0.5)


def rules() -> Channel:
    return msgspec.structs.replace(channels.load("shopify"), canvas=Size(300, 300), smallest=Size(80, 80))


def test_the_ground_is_read_beside_the_product() -> None:
    picture = np.full((300, 300, 3), 40, np.uint8)
    picture[60:240, 60:240] = (230, 225, 210)
    picture[100:200, 100:200] = (10, 200, 10)
    alpha = block(300, 300, (100, 100, 200, 200))[..., 3]
    assert background_of(picture, alpha) == pytest.approx(to_linear(np.array([230, 225, 210], np.uint8)).tolist())
    assert background_of(picture, np.full((300, 300), 255, np.uint8)) is None


def test_a_small_cast_comes_off_whole() -> None:
    gain = correction(block(100, 100, (20, 20, 80, 80), 110), (0.41, 0.40, 0.39))
    assert np.ptp(np.array(gain) * (0.41, 0.40, 0.39)) < 1e-4
    assert gain[0] < 1 < gain[2]


def test_a_grey_ground_stays_as_dark_as_it_is_and_a_whitish_becomes_white() -> None:
    product = block(100, 100, (20, 20, 80, 80), 60)
    assert correction(product, (0.2, 0.2, 0.2)) == pytest.approx((1, 1, 1), abs=1e-5)
    assert correction(product, (0.9, 0.9, 0.9)) == pytest.approx([0.95 / 0.9] * 3, abs=1e-3)


@pytest.mark.parametrize("background", [WARM, (0.5, 0.6, 0.7), (0.55, 0.55, 0.55)])
def test_the_product_changes_by_no_more_than_it_may(background: tuple[float, float, float]) -> None:
    rgba = mug()
    gain = correction(rgba, background)
    assert gain != NO_CHANGE
    light = to_linear(rgba[rgba[..., 3] == 255][:, :3])
    lit = light * np.array(gain, np.float32)
    change = float(np.median(ciede2000(light_to_lab(light), light_to_lab(lit))))
    assert CHANGE_MAX * 0.7 < change <= CHANGE_MAX * 1.02


@pytest.mark.parametrize("background", [(0.1, 0.2, 0.6), (0.7, 0.05, 0.05), (0.0, 0.0, 0.0)])
def test_a_ground_that_is_plainly_coloured_says_nothing(background: tuple[float, float, float]) -> None:
    assert correction(mug(), background) == NO_CHANGE


def test_highlights_do_not_burn_out() -> None:
    rgba = block(100, 100, (20, 20, 80, 80), 250)
    gain = correction(rgba, (0.6, 0.6, 0.6))
    assert max(gain) * to_linear(np.array(250, np.uint8)) <= 1.0001


def composed(lighting_mode: str, metadata: Metadata) -> Composed:
    cutout = Picture(mug(), "image/png", 8, True, "", 1, 1, metadata)
    return compose("packshot", [cutout], ComposeRequest(rules(), {"lighting.mode": lighting_mode}))


def test_a_corrected_packshot_is_measured_and_says_so() -> None:
    made = composed("auto", Metadata("", WARM))
    assert made.measures["canvas_difference_max"] <= 2
    assert made.measures["colour_difference_median"] > 0.8
    assert made.measures["lighting_made"] == 1
    assert b"algorithmicallyEnhanced" in made.files[0].data


def test_without_a_plain_ground_nothing_is_guessed() -> None:
    made = composed("auto", Metadata())
    assert made.files == composed("none", Metadata()).files
    assert made.measures["lighting_made"] == 0
    assert b"digitalCapture" in made.files[0].data


def test_nobody_asked_nothing_changes() -> None:
    assert np.array_equal(packshot(mug(), rules(), None, WARM).canvas, packshot(mug(), rules()).canvas)
    assert packshot(mug(), rules(), AUTO, WARM).gain != NO_CHANGE


@pytest.mark.parametrize("plain", [True, False])
def test_a_cutout_remembers_a_plain_ground_only(plain: bool) -> None:
    photograph = np.full((200, 240, 3), 200, np.uint8)
    picture = decode(written(photograph))
    made = Cutout(mug(), {"plain_background": float(plain), "worn": 0.0})
    metadata = metadata_of(picture, made)
    read = decode(lossless(made.rgba, metadata)).metadata
    light = float(to_linear(np.array(200, np.uint8)))
    assert read.background == (pytest.approx([light] * 3, abs=1e-5) if plain else None)
