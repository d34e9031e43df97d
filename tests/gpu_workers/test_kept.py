"""What became of a product's pixels: each measure moves by what it is for, and by next to nothing for a good JPEG."""

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from gpu_workers.quality.kept import block_box, furthest, ground_difference, kept_measures

Picture = NDArray[np.uint8]
SIDE = 256


@pytest.fixture(scope="module")
def product() -> Picture:
    """Print in colour on a shaded ground."""
    ramp = np.linspace(60, 190, SIDE)[None, :, None] * np.array([1.0, 0.6, 0.4])
    rgb = np.ascontiguousarray(np.broadcast_to(ramp, (SIDE, SIDE, 3)).astype(np.uint8))
    for row in range(30, SIDE, 40):
        cv2.putText(rgb, "OLIVARA 250", (8, row), cv2.FONT_HERSHEY_DUPLEX, 1, (240, 235, 200), 2, cv2.LINE_AA)
    return rgb


def measured(expected: Picture, written: Picture) -> dict[str, float]:
    return kept_measures(expected, written, np.ones((SIDE, SIDE), np.bool_))


def jpeg(rgb: Picture, quality: int) -> Picture:
    _, data = cv2.imencode(".jpg", rgb, [cv2.IMWRITE_JPEG_QUALITY, quality, cv2.IMWRITE_JPEG_SAMPLING_FACTOR, 0x111111])
    decoded = cv2.imdecode(data, cv2.IMREAD_COLOR)
    assert decoded is not None
    return np.asarray(decoded, np.uint8)


def test_what_is_as_it_was_has_lost_nothing(product: Picture) -> None:
    same = measured(product, product)
    kept = ("structure_kept", "structure_worst", "detail_ratio", "levels_kept")
    assert all(same[name] == pytest.approx(1, abs=1e-3) for name in kept)
    others = ("block_delta_e_max", "hue_shift_deg", "clipped_added", "chroma_error", "blockiness")
    assert all(same[name] == pytest.approx(0, abs=1e-3) for name in others)


def test_a_good_file_has_lost_hardly_anything(product: Picture) -> None:
    good = measured(product, jpeg(product, 95))
    assert good["structure_worst"] > 0.95
    assert good["block_delta_e_max"] < 1
    assert 0.95 < good["detail_ratio"] < 1.05


def test_each_fault_shows_in_its_measure(product: Picture) -> None:
    turned = cv2.cvtColor(product, cv2.COLOR_RGB2HSV)
    turned[..., 0] += 5  # of 180: ten degrees
    assert measured(product, np.ascontiguousarray(product[:, ::-1]))["structure_worst"] < 0.5
    assert measured(product, np.roll(product, 3, axis=1))["structure_worst"] < 0.8
    assert measured(product, np.asarray(cv2.cvtColor(turned, cv2.COLOR_HSV2RGB), np.uint8))["hue_shift_deg"] > 3
    assert measured(product, np.asarray(cv2.GaussianBlur(product, (0, 0), 1), np.uint8))["detail_ratio"] < 0.8
    assert measured(product, product // 16 * 16)["levels_kept"] < 0.5
    assert measured(product, np.where(product < 100, 0, product).astype(np.uint8))["clipped_added"] > 0.1
    assert measured(product, jpeg(product, 20))["blockiness"] > 0.2


def test_a_cloth_of_one_grey_is_not_off_by_what_jpeg_rounds() -> None:
    cloth = np.full((SIDE, SIDE, 3), (118, 125, 125), np.uint8)
    cloth += np.random.default_rng(2).integers(0, 6, (SIDE, SIDE, 1)).astype(np.uint8)
    best = jpeg(cloth, 95)
    assert abs(best[..., 0].mean() - cloth[..., 0].mean()) > 0.4, "its red is rounded to one side"
    assert measured(cloth, best)["block_delta_e_p95"] < 0.6
    warmer = np.clip(best + np.array([3, 0, -3]), 0, 255).astype(np.uint8)
    assert measured(cloth, warmer)["block_delta_e_p95"] > 1.0, "what a person sees is found all the same"


def test_a_weave_made_smaller_without_a_filter_is_moire_and_nothing_else_is(product: Picture) -> None:
    rows, columns = np.mgrid[: 3 * SIDE, : 3 * SIDE]
    threads = 120 + 40 * np.cos(2 * np.pi * rows / 3.2) + 40 * np.cos(2 * np.pi * columns / 3.2)
    cloth = np.repeat(threads.astype(np.uint8)[..., None], 3, axis=2)
    small = np.asarray(cv2.resize(cloth, (SIDE, SIDE), interpolation=cv2.INTER_AREA), np.uint8)
    assert measured(small, np.ascontiguousarray(cloth[1::3, 1::3]))["moire"] > 10
    noisy = product + np.random.default_rng(1).normal(0, 5, product.shape)
    for good in (product, jpeg(product, 80), np.clip(noisy, 0, 255).astype(np.uint8)):
        assert measured(product, good)["moire"] < 1.5
    weave = np.ascontiguousarray(cloth[:SIDE, :SIDE])
    assert measured(weave, weave)["moire"] == 0, "a pattern that the source has is none"
    assert measured(weave, np.asarray(cv2.GaussianBlur(weave, (0, 0), 1), np.uint8))["moire"] < 1.5


def test_of_a_product_with_no_room_for_a_wave_nothing_is_said_of_moire(product: Picture) -> None:
    strip = np.zeros((SIDE, SIDE), np.bool_)
    strip[:, 16:64] = True
    assert "moire" not in kept_measures(product, product, strip)


def test_where_no_whole_block_is_the_products_nothing_is_said(product: Picture) -> None:
    thin = np.zeros((SIDE, SIDE), np.bool_)
    thin[:, 20:30] = True
    assert kept_measures(product, product, thin) == {}
    assert kept_measures(product[:9, :9], product[:9, :9], thin[:9, :9]) == {}


def test_the_ground_is_measured_where_the_product_is_not() -> None:
    white, alpha = np.full((64, 64, 3), 255, np.uint8), np.zeros((64, 64), np.uint8)
    alpha[16:48, 16:48] = 255
    marked = white.copy()
    marked[:8, :8] = 200
    inside = white.copy()
    inside[24:32, 24:32] = 0
    assert ground_difference(white, marked, alpha) == 55
    assert ground_difference(white, inside, alpha) == 0
    assert ground_difference(white, marked, np.full((64, 64), 255, np.uint8)) == 0


def test_of_a_transparent_picture_the_alpha_counts() -> None:
    clear, alpha = np.zeros((64, 64, 4), np.uint8), np.zeros((64, 64), np.uint8)
    other = clear.copy()
    other[..., :3] = 90
    assert ground_difference(clear, other, alpha) == 0
    other[:16, :16, 3] = 30
    assert ground_difference(clear, other, alpha) == 30


def test_blocks_lie_on_jpegs_own() -> None:
    core = np.zeros((100, 100), np.bool_)
    core[35:70, 50:90] = True
    assert block_box(core) == (slice(32, 70), slice(48, 90))


def test_the_furthest_of_three_channels_is_that_of_whole_numbers() -> None:
    one, other = np.random.default_rng(3).integers(0, 256, (2, 40, 30, 3), dtype=np.uint8)
    colour = np.array([250, 3, 128], np.uint8)
    assert np.array_equal(furthest(one, other), np.abs(one.astype(int) - other).max(axis=2))
    assert np.array_equal(furthest(one[:, ::2], colour), np.abs(one[:, ::2].astype(int) - colour).max(axis=2))
