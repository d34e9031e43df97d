"""Sixteen bits and vivid colours, from the source's file to the last step before a channel's file."""

import io

import msgspec
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import ImageCms

from gpu_workers.imaging.colour_difference import ciede2000, light_to_lab
from gpu_workers.imaging.encoding import encode, lossless
from gpu_workers.imaging.linear_light import coded, eight_bit, to_linear, to_srgb
from gpu_workers.imaging.wide_gamut import in_srgb, profile
from gpu_workers.operations.packshot import shadow
from gpu_workers.operations.packshot.measures import measure
from gpu_workers.operations.packshot.packshot import on_canvas, packshot, place
from gpu_workers.operations.transparent import transparent
from gpu_workers.sources.decoding import decode
from schemas import channels
from schemas.channels import Channel
from schemas.operations.packshot import PackshotParameters
from tests.gpu_workers.products import mug, wide, with_own_shadow
from tests.gpu_workers.test_decoding import p3

P3_RED = (1.2249, -0.0420, -0.0197)
RAMP = 600


def rules(scale_max: float) -> Channel:
    """Rules on whose canvas the products of these tests are enlarged by just `scale_max`."""
    return msgspec.structs.replace(channels.load("shopify"), smallest=channels.Size(16, 16), scale_max=scale_max)


def vivid(width: int = RAMP + 100, height: int = 120) -> NDArray[np.uint16]:
    """A 16-bit Display P3 cut-out: its upper half P3's red, its lower a fine grey ramp."""
    pixels = np.zeros((height, width, 4), np.uint16)
    pixels[20:60, 50:-50] = (65535, 0, 0, 65535)
    pixels[60:100, 50:-50] = 65535
    pixels[60:100, 50:-50, :3] = np.linspace(20_000, 30_000, RAMP).astype(np.uint16)[:, None]
    return pixels


@pytest.mark.parametrize("scale_max", [1.0, 1.5])
def test_p3s_red_and_a_fine_ramp_reach_the_encoder(scale_max: float) -> None:
    """By way of the cutout's file; only its last step makes eight bits of sRGB of it."""
    source = decode(p3(vivid())).pixels
    stored = decode(lossless(source)).pixels
    assert np.array_equal(stored, source)
    placement = place(eight_bit(stored)[..., 3], rules(scale_max), PackshotParameters())
    assert placement.scale == pytest.approx(scale_max)
    light = on_canvas(stored, placement)
    middle = light.shape[0] // 2
    red, ramp = light[middle - 20], light[middle + 20]
    solid = red[..., 3] > 0.999
    assert np.abs(np.median(red[solid][:, :3], axis=0) - P3_RED).max() < 3e-3
    assert len(np.unique(ramp[solid][:, 1])) > 500
    assert len(np.unique(to_srgb(in_srgb(ramp[solid][:, :3]))[:, 1])) < 64


def test_the_cutouts_file_says_what_its_numbers_mean() -> None:
    read = ImageCms.ImageCmsProfile(io.BytesIO(profile()))
    assert ImageCms.getProfileDescription(read).strip().startswith("WIDE")
    red, green, blue = read.profile.red_colorant, read.profile.green_colorant, read.profile.blue_colorant
    assert red is not None
    assert green is not None
    assert blue is not None
    published = ((0.6734, 0.2790, -0.0019), (0.1656, 0.6753, 0.0299), (0.1251, 0.0456, 0.7970))  # Rec. 2020 under D50
    assert np.abs(np.array([red[0], green[0], blue[0]]) - published).max() < 1e-3


def test_white_stays_white_and_grey_grey() -> None:
    greys = np.repeat(np.array([0, 9_999, 40_000, 65_535], np.uint16), 3).reshape(-1, 3)
    assert np.ptp(to_linear(greys), axis=1).max() < 1e-6
    assert to_linear(greys)[[0, 3], 0] == pytest.approx([0, 1], abs=1e-6)


def colours(count: int = 4000) -> NDArray[np.float32]:
    """Linear sRGB of random Display P3 colours, half of which sRGB does not hold."""
    p3_to_srgb = np.array([[1.2249, -0.2247, 0.0], [-0.0420, 1.0419, 0.0], [-0.0197, -0.0786, 1.0979]])
    return np.asarray(np.random.default_rng(5).random((count, 3)) ** 2.2 @ p3_to_srgb.T, np.float32)


def hue(light: NDArray[np.float32]) -> NDArray[np.float64]:
    """The hue in degrees by another opponent space than the one that keeps it: IPT's, of cone responses to 0.43."""
    to_lms = np.array(
        [[0.313921, 0.639468, 0.0465970], [0.151693, 0.748209, 0.1000044], [0.017753, 0.109441, 0.8729690]]
    )
    lms = light.astype(np.float64) @ to_lms.T
    opponents = np.array([[4.4550, -4.8510, 0.3960], [0.8056, 0.3572, -1.1628]])
    p, t = (np.sign(lms) * np.abs(lms) ** 0.43 @ opponents.T).T
    return np.asarray(np.degrees(np.arctan2(t, p)))


def test_what_srgb_does_not_hold_keeps_its_hue_as_clipping_does_not() -> None:
    light = colours()
    outside = (light.min(axis=1) < -0.01) | (light.max(axis=1) > 1.01)
    kept, clipped = in_srgb(light)[outside], np.clip(light[outside], 0, 1)
    turns = [np.abs((hue(mapped) - hue(light[outside]) + 180) % 360 - 180) for mapped in (kept, clipped)]
    assert np.percentile(turns[0], 95) < 0.5 * np.percentile(turns[1], 95)
    lightness = [np.abs(light_to_lab(mapped) - light_to_lab(light[outside]))[:, 0] for mapped in (kept, clipped)]
    assert np.percentile(lightness[0], 95) < 0.5 * np.percentile(lightness[1], 95)
    changes = [np.median(ciede2000(light_to_lab(mapped), light_to_lab(light[outside]))) for mapped in (kept, clipped)]
    assert changes[0] < changes[1] + 0.3


def test_every_colour_of_srgb_comes_back_from_wide_as_it_was() -> None:
    """Those at its rim too, which rounding puts a little outside."""
    levels = np.array([0, 1, 2, 31, 128, 253, 254, 255], np.uint8)
    codes = np.stack(np.meshgrid(levels, levels, levels), axis=-1)
    assert np.array_equal(eight_bit(coded(to_linear(codes), np.uint16)), codes)


def test_what_srgb_holds_is_not_touched() -> None:
    light = colours()
    inside = (light.min(axis=1) >= 0) & (light.max(axis=1) <= 1)
    assert np.array_equal(in_srgb(light)[inside], light[inside])
    assert in_srgb(light[inside]) is not None
    mapped = in_srgb(light)
    assert mapped.min() >= -1e-5
    assert mapped.max() <= 1 + 1e-5


@pytest.mark.parametrize("scale_max", [1.0, 1.5])
def test_a_deep_cutout_makes_the_same_packshot_as_a_flat_one(scale_max: float) -> None:
    """Where resampling overshoots at stripes as hard as the mug's too."""
    flat, deep = (packshot(rgba, rules(scale_max)) for rgba in (with_own_shadow(mug()), wide(with_own_shadow(mug()))))
    difference = np.abs(flat.canvas.astype(int) - eight_bit(deep.canvas))
    assert difference.max() <= 1
    assert difference.mean() <= 0.05
    assert flat.own_shadow == pytest.approx(deep.own_shadow, abs=0.01)


def test_a_vivid_packshot_is_measured_against_what_srgb_can_show() -> None:
    stored = decode(p3(vivid())).pixels
    web = channels.load("web")
    rendered = transparent(stored, web)
    found = measure(encode(rendered.canvas, web).data, rendered, web)
    assert found["canvas_difference_max"] <= 2
    assert found["beyond_srgb_share"] == pytest.approx(0.5, abs=0.02)
    assert found["colour_difference_p95"] < 1


def test_a_deep_suppliers_shadow_goes_too() -> None:
    sent = wide(with_own_shadow(mug()))
    left = shadow.strip(sent)
    assert left.dtype == np.uint16
    assert ((left[..., 3] > 8 * 257) & (mug()[..., 3] == 0)).sum() == 0
    assert shadow.strip(plain := wide(mug())) is plain
