"""What is measured of a picture as a shop shows it: on drawn pictures whose faults are known."""

import io

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from gpu_workers.quality.found import bits_apart, detail_scale, found_measures, jpeg_quality, picture_hash

SIDE_PX = 480
Pixels = NDArray[np.uint8]


def drawn(
    ground: tuple[int, int, int] = (255, 255, 255), box: tuple[int, int, int, int] = (100, 60, 379, 419)
) -> Pixels:
    """A box of coarse cloth, lit from its left, on a plain ground."""
    pixels = np.full((SIDE_PX, SIDE_PX, 3), ground, np.uint8)
    rows, columns = slice(box[1], box[3] + 1), slice(box[0], box[2] + 1)
    height, width = box[3] + 1 - box[1], box[2] + 1 - box[0]
    weave = np.random.default_rng(1).integers(-50, 50, (height, width, 1))
    light = np.linspace(60, 0, width)[None, :, None]
    pixels[rows, columns] = np.clip(np.array((60, 100, 150)) + weave + light, 0, 255)
    return pixels


def mask_of(box: tuple[int, int, int, int] = (100, 60, 379, 419)) -> NDArray[np.float32]:
    mask = np.zeros((SIDE_PX, SIDE_PX), np.float32)
    mask[box[1] : box[3] + 1, box[0] : box[2] + 1] = 1
    return mask


def file_of(pixels: Pixels, kind: str = "PNG", **more: int) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, kind, **more)
    return stream.getvalue()


def resized(pixels: Pixels, scale: float) -> Pixels:
    small = Image.fromarray(pixels).resize((round(SIDE_PX * scale),) * 2, Image.Resampling.LANCZOS)
    return np.asarray(small.resize((SIDE_PX, SIDE_PX), Image.Resampling.BICUBIC))


def test_a_plain_ground_is_reported_with_its_colour() -> None:
    found = found_measures(drawn((250, 249, 248)), mask_of(), file_of(drawn()))
    assert [found[f"ground_{name}"] for name in ("red", "green", "blue")] == [250, 249, 248]
    assert found["ground_exact_share"] == found["ground_near_share"] == 1.0


@pytest.mark.parametrize("wide", [1, 2, 3, 40])
def test_the_ground_s_colour_is_its_median(wide: int) -> None:
    pixels = np.random.default_rng(wide).choice(np.array([0, 5, 6, 254, 255], np.uint8), (3, wide, 3))
    found = found_measures(pixels, np.zeros((3, wide), np.float32), b"")
    median = np.median(pixels.reshape(-1, 3), axis=0).round()
    assert [found[f"ground_{name}"] for name in ("red", "green", "blue")] == list(median)


def test_a_ground_with_a_gradient_is_none() -> None:
    pixels = drawn().copy()
    pixels[:, :90] = np.linspace(180, 255, 90, dtype=np.uint8)[None, :, None]
    found = found_measures(pixels, mask_of(), file_of(pixels))
    assert found["ground_exact_share"] < 0.8
    assert found["ground_near_share"] < 0.85


def test_a_product_that_fills_the_picture_has_no_ground() -> None:
    found = found_measures(drawn(), np.ones((SIDE_PX, SIDE_PX), np.float32), file_of(drawn()))
    assert "ground_exact_share" not in found
    assert (found["fill"], found["cropped_edges"]) == (1.0, 4.0)


@pytest.mark.parametrize(
    ("box", "fill", "cropped"),
    [((100, 60, 379, 419), 0.75, 0), ((0, 120, 239, 359), 0.5, 1), ((0, 0, 119, 119), 0.25, 2)],
)
def test_fill_and_cropping(box: tuple[int, int, int, int], fill: float, cropped: int) -> None:
    found = found_measures(drawn(box=box), mask_of(box), file_of(drawn()))
    assert (found["fill"], found["cropped_edges"]) == (fill, cropped)


def test_a_sharp_picture_is_distinguished_from_one_enlarged_and_one_out_of_focus() -> None:
    product = mask_of() > 0.5
    sharp = drawn()
    assert detail_scale(sharp, product) >= 0.9
    assert detail_scale(resized(sharp, 1 / 3), product) < 0.55
    assert detail_scale(np.asarray(Image.fromarray(sharp).filter(ImageFilter.GaussianBlur(3))), product) < 0.55


def test_plain_cloth_is_not_called_blurred() -> None:
    assert detail_scale(np.full((SIDE_PX, SIDE_PX, 3), 128, np.uint8), mask_of() > 0.5) == 1.0
    assert detail_scale(drawn(), np.zeros((SIDE_PX, SIDE_PX), np.bool_)) == 1.0


@pytest.mark.parametrize("quality", [20, 45, 60, 75, 90, 95])
def test_the_quality_of_a_jpeg_is_read_from_its_tables(quality: int) -> None:
    assert abs(jpeg_quality(file_of(drawn(), "JPEG", quality=quality)) - quality) <= 2


def test_other_formats_have_no_such_quality() -> None:
    assert jpeg_quality(file_of(drawn())) == 100


def test_the_same_picture_in_another_size_and_file_looks_alike_and_another_does_not() -> None:
    first = picture_hash(drawn())
    small = Image.open(io.BytesIO(file_of(np.asarray(Image.fromarray(drawn()).resize((200, 200))), "JPEG", quality=60)))
    assert bits_apart(first, picture_hash(np.asarray(small))) <= 3
    assert bits_apart(first, picture_hash(drawn(box=(20, 200, 300, 470)))) > 10
