from dataclasses import replace

import cv2
import msgspec
import numpy as np
import pytest

from gpu_workers.imaging.encoding import encode
from gpu_workers.imaging.types import Codes
from gpu_workers.operations.packshot.measures import measure
from gpu_workers.operations.packshot.packshot import Rendered, packshot
from gpu_workers.operations.transparent import transparent
from schemas import channels
from schemas.channels import Channel, Size
from schemas.operations.packshot import PackshotParameters
from tests.gpu_workers.products import block, mug, with_own_shadow


def channel(name: str = "amazon", scale_max: float = 4.0) -> Channel:
    rules = channels.load(name)
    return msgspec.structs.replace(rules, canvas=Size(400, 400), smallest=Size(80, 80), scale_max=scale_max)


def measures_of(rendered: Rendered, rules: Channel, canvas: Codes | None = None) -> dict[str, float]:
    file = encode(rendered.canvas if canvas is None else canvas, rules).data
    return measure(file, rendered, rules)


@pytest.mark.parametrize("name", ["amazon", "google", "zalando", "shopify", "instagram"])
@pytest.mark.parametrize("scale_max", [1.0, 1.3, 4.0])
def test_a_good_packshot_measures_good(name: str, scale_max: float) -> None:
    rules = channel(name, scale_max)
    found = measures_of(packshot(mug(), rules), rules)
    assert found["canvas_difference_max"] <= 2
    assert found["product_difference_p999"] <= 40  # the mug's stripes are hard on JPEG
    assert found["product_difference_mean"] <= 3
    assert found["background_exact_share"] == 1.0
    assert found["background_deviation_max"] == 0
    assert found["halo"] < 2
    assert rules.fill.min <= found["fill"] <= rules.fill.max
    assert abs(found["centre_offset_x"]) < 0.01
    assert abs(found["centre_offset_y"]) < 0.01
    assert (found["alpha_islands"], found["alpha_holes"]) == (0, 1)
    assert found["format_allowed"] == 1
    assert found["scale"] <= scale_max
    assert all(isinstance(value, float) for value in found.values())


def test_another_background_is_distinguished_from_the_channels_own() -> None:
    rules = channel("instagram")
    own = measures_of(packshot(mug(), rules), rules)
    sand = measures_of(packshot(mug(), rules, PackshotParameters(background_color="#EFE7DB")), rules)
    assert (own["background_as_channel"], sand["background_as_channel"]) == (1, 0)
    assert sand["background_near_share"] == 1
    assert sand["background_exact_share"] == 0  # JPEG has no such colour


def test_reduced_products_are_unchanged_too() -> None:
    large = cv2.resize(mug(), None, fx=5, fy=5, interpolation=cv2.INTER_CUBIC)
    rules = channel()
    rendered = packshot(large, rules)
    assert rendered.placement.scale < 0.6
    assert measures_of(rendered, rules)["canvas_difference_max"] <= 2


@pytest.mark.parametrize("box", [(0, 40, 80, 100), (40, 60, 100, 150)])
def test_products_cut_off_are_unchanged_and_counted(box: tuple[int, int, int, int]) -> None:
    rules = channel()
    found = measures_of(packshot(block(150, 150, box), rules), rules)
    assert found["cropped_edges"] == 1
    assert found["canvas_difference_max"] <= 2


def test_a_product_moved_by_half_a_pixel_is_noticed() -> None:
    rules = channel()
    rendered = packshot(mug(), rules)
    moved = cv2.warpAffine(
        rendered.canvas, np.array([[1, 0, 0], [0, 1, 0.5]], np.float32), (400, 400), borderMode=cv2.BORDER_REPLICATE
    )
    assert measures_of(replace(rendered, canvas=moved), rules)["canvas_difference_max"] > 20


def test_a_changed_colour_and_a_changed_logo_are_noticed() -> None:
    rules = channel()
    rendered = packshot(mug(), rules)
    good = measures_of(rendered, rules)
    tinted = rendered.canvas.copy()
    solid = rendered.mask > 0
    tinted[solid] = np.clip(tinted[solid].astype(int) + np.array([8, 0, 0]), 0, 255)
    assert measures_of(rendered, rules, tinted)["product_difference_mean"] > good["product_difference_mean"] + 4
    painted = rendered.canvas.copy()
    painted[200:204, 200:210] = 255
    assert measures_of(rendered, rules, painted)["product_difference_max"] > 100


def test_a_background_that_is_not_the_channels_is_noticed() -> None:
    rules = channel()
    rendered = packshot(mug(), rules)
    grey = rendered.canvas.copy()
    grey[:200][rendered.mask[:200] == 0] = 253
    found = measures_of(rendered, rules, grey)
    assert 0.3 < found["background_exact_share"] < 0.7
    assert found["background_deviation_max"] >= 2


def test_a_halo_is_noticed() -> None:
    rules = channel()
    rendered = packshot(mug(), rules)
    haloed = rendered.canvas.copy()
    ring = cv2.dilate((rendered.mask > 0).astype(np.uint8), np.ones((9, 9), np.uint8)) > 0
    haloed[ring & (rendered.mask == 0)] = 225
    assert measures_of(rendered, rules, haloed)["halo"] > measures_of(rendered, rules)["halo"] + 5


@pytest.mark.parametrize(("edge", "sign"), [(255, 1), (0, -1)])
def test_a_light_or_dark_fringe_is_noticed(edge: int, sign: int) -> None:
    rgba = mug()
    rgba[(rgba[..., 3] > 0) & (rgba[..., 3] < 255), :3] = edge
    rules = channel()
    found = measures_of(packshot(rgba, rules), rules)
    assert found["edge_lightness"] * sign > 40


def test_a_coloured_fringe_is_noticed() -> None:
    rules = channel()
    rgba = mug()
    good = measures_of(packshot(rgba, rules), rules)["edge_chroma"]
    rgba[(rgba[..., 3] > 0) & (rgba[..., 3] < 255), :3] = (0, 255, 0)
    assert measures_of(packshot(rgba, rules), rules)["edge_chroma"] > good + 30


def test_a_second_part_is_an_island() -> None:
    rgba = mug()
    rgba[10:20, 200:230] = (90, 90, 90, 255)
    rules = channel()
    assert measures_of(packshot(rgba, rules), rules)["alpha_islands"] == 1


def test_the_suppliers_shadow_is_reported() -> None:
    rules = channel()
    assert measures_of(packshot(mug(), rules), rules)["own_shadow_share"] == 0
    assert measures_of(packshot(with_own_shadow(mug()), rules), rules)["own_shadow_share"] > 0.05


def test_a_transparent_cutout_is_exact() -> None:
    rules = channels.load("web")
    found = measures_of(transparent(mug(), rules), rules)
    assert found["product_difference_max"] <= 2
    assert (found["width_px"], found["height_px"]) == (146, 125)
    assert found["background_deviation_max"] == 0


def test_a_format_that_the_channel_does_not_take_is_noticed() -> None:
    rules = channel("zalando")
    rendered = packshot(mug(), rules)
    png = encode(rendered.canvas, msgspec.structs.replace(rules, formats=("png",))).data
    assert measure(png, rendered, rules)["format_allowed"] == 0
    assert measure(png, rendered, rules)["size_bytes"] == len(png)


def test_a_book_that_fills_its_canvas_leaves_no_wrong_background() -> None:
    rules = channels.load("web")
    book = np.full((300, 200, 4), 255, np.uint8)
    book[..., :3] = (30, 60, 90)
    found = measures_of(transparent(book, rules), rules)
    assert found["background_exact_share"] == 1.0
    assert found["background_deviation_max"] == 0
