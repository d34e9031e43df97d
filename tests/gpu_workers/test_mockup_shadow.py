"""Shadows in scenes as the gates see them: right ones pass, and those that were spoilt on purpose are noticed.

Fifteen mockups: five products, thin ones and one on legs among them, in three lights. Those that are lit from
elsewhere are made for each test; `make test` makes one of each product.
"""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import cv2
import msgspec
import numpy as np
import pytest
from numpy.typing import NDArray

from gpu_workers.imaging.encoding import encode
from gpu_workers.library.scenes import load
from gpu_workers.operations.mockup.measures import measure
from gpu_workers.operations.mockup.mockup import Mockup, mockup
from gpu_workers.operations.mockup.scene_ground import ground_of
from gpu_workers.operations.mockup.scene_placing import Product
from gpu_workers.operations.mockup.scene_shadow import Caster, thrown
from gpu_workers.operations.mockup.standing import stance
from schemas import channels
from schemas.operations.mockup import MockupParameters
from streams.flow.processors.judging import judge
from tests.gpu_workers.products import block, chair, lamp, mug, wire_bowl
from tests.gpu_workers.scenes import HEIGHT, WIDTH, write_scene

CHANNEL = msgspec.structs.replace(channels.load("instagram"), formats=("jpeg",))
FACTOR = 1.5
WHOLE = MockupParameters(output_size=f"{FACTOR * WIDTH:.0f}x{FACTOR * HEIGHT:.0f}", framing="context")
LIGHTS = ((-60.0, 40.0, 12.0), (25.0, 45.0, 1.5), (140.0, 44.0, 15.0))
PRODUCTS = (block(200, 200, (60, 40, 140, 160)), mug(), chair(), lamp(), wire_bowl())
Lit = tuple[NDArray[np.uint8], tuple[float, float, float]]
EVERY = [(product, light) for product in PRODUCTS for light in LIGHTS]
SOME = [(product, LIGHTS[number % len(LIGHTS)]) for number, product in enumerate(PRODUCTS)]
Turned = Callable[[Callable[[float], float], list[Lit]], list[Mockup]]
LONG = pytest.mark.long


def made(folder: Path, product: NDArray[np.uint8], light: tuple[float, float, float]) -> Mockup:
    azimuth, elevation, softness = light
    changes = {"azimuth_deg": azimuth, "elevation_deg": elevation, "softness_deg": softness, "ambient": 0.4}
    scene = load(write_scene(folder, factor=FACTOR, light=changes, depth="depth.png"))
    return mockup([Product(product, 12.0)], scene, CHANNEL, WHOLE)


@pytest.fixture(scope="module")
def mockups(tmp_path_factory: pytest.TempPathFactory) -> list[Mockup]:
    folder = tmp_path_factory.mktemp("scenes")
    return [made(folder, product, light) for product, light in EVERY]


@pytest.fixture(scope="module")
def in_other_light(tmp_path_factory: pytest.TempPathFactory) -> Turned:
    """The same mockups, lit from where a function of the azimuth says, which they do not know."""
    folder = tmp_path_factory.mktemp("scenes")

    def lit(azimuth: Callable[[float], float], which: list[Lit]) -> list[Mockup]:
        return [
            replace(wrong, light=msgspec.structs.replace(wrong.light, azimuth_deg=light[0]))
            for product, light in which
            for wrong in [made(folder, product, (azimuth(light[0]), *light[1:]))]
        ]

    return lit


def measured(picture: Mockup) -> dict[str, float]:
    return measure(encode(picture.canvas, CHANNEL).data, picture, CHANNEL)


def noticed(pictures: list[dict[str, float]]) -> float:
    """The share of pictures, by what was measured of them, that do not pass for their light."""
    verdicts = [judge(picture, CHANNEL, "mockup") for picture in pictures]
    spoilt = [
        any(check.point == "light" and check.outcome != "pass" for check in verdict.checks) for verdict in verdicts
    ]
    return float(np.mean(spoilt))


def lifted(picture: Mockup, share: float) -> Mockup:
    """The product as much higher in the picture as this share of it, its shadow where it was."""
    main = picture.products[0]
    rows = np.flatnonzero((main.mask > 0).any(axis=1))
    up = round(share * len(rows))
    alpha = main.mask[..., None] / 255.0
    own = picture.canvas - (1 - alpha) * picture.ground
    canvas = np.roll(own, -up, axis=0) + (1 - np.roll(alpha, -up, axis=0)) * picture.ground
    placement = replace(main.placement, y_px=main.placement.y_px - up)
    moved = replace(main, mask=np.roll(main.mask, -up, axis=0), placement=placement)
    return replace(picture, canvas=np.rint(canvas.clip(0, 255)).astype(np.uint8), products=(moved,))


def test_right_shadows_are_within_ten_degrees_and_pass(mockups: list[Mockup]) -> None:
    found = [measured(picture) for picture in mockups]
    assert max(each["shadow_azimuth_error_deg"] for each in found) <= 10
    assert max(each["contact_gap"] for each in found) <= 0.03
    assert noticed(found) == 0


@pytest.mark.parametrize(
    ("turned_deg", "which"),
    [(30, SOME), pytest.param(30, EVERY, marks=LONG), pytest.param(-30, EVERY, marks=LONG)],
    ids=["30, some", "30, every", "-30, every"],
)
def test_shadows_turned_by_thirty_degrees_are_noticed(
    in_other_light: Turned, turned_deg: float, which: list[Lit]
) -> None:
    turned = in_other_light(lambda azimuth: azimuth + turned_deg, which)
    assert noticed([measured(picture) for picture in turned]) == 1


@pytest.mark.parametrize("which", [SOME, pytest.param(EVERY, marks=LONG)], ids=["some", "every"])
def test_mirrored_shadows_are_noticed(in_other_light: Turned, which: list[Lit]) -> None:
    mirrored = in_other_light(lambda azimuth: -azimuth, which)
    assert noticed([measured(picture) for picture in mirrored]) == 1


def test_missing_shadows_are_noticed(mockups: list[Mockup]) -> None:
    bare = [
        replace(picture, canvas=np.where(picture.mask[..., None] > 0, picture.canvas, picture.bare))
        for picture in mockups
    ]
    found = [measured(picture) for picture in bare]
    assert [each["shadow_azimuth_error_deg"] for each in found] == [180] * len(found)
    assert noticed(found) == 1


def test_what_hovers_is_noticed(mockups: list[Mockup]) -> None:
    assert noticed([measured(lifted(picture, 0.1)) for picture in mockups]) == 1


def test_a_chair_throws_the_same_shadow_whatever_the_cells(tmp_path: Path) -> None:
    ground = ground_of(load(write_scene(tmp_path)), WIDTH)
    stands = stance(chair()[..., 3])
    caster = Caster(chair()[..., 3], stands, stands.height_px / (80 * ground.cosine), (0.0, 0.0))
    fine, coarse = (thrown([caster], ground, [(-58.0, 40.0)], cell_cm) for cell_cm in (0.5, 2.0))
    shadow = fine[0][0] > 127
    rows, columns = ((np.arange(side) + 0.5) * 0.25 for side in shadow.shape)
    again = coarse[0][0][np.ix_(rows.astype(int).clip(0, coarse[1].height - 1), columns.astype(int))] > 127
    assert (shadow & again).sum() / (shadow | again).sum() > 0.55
    # The seat is the largest part of it, and in one piece.
    count, _, statistics, _ = cv2.connectedComponentsWithStats(cv2.erode(shadow.astype(np.uint8), np.ones((9, 9))))
    areas = statistics[1:count, cv2.CC_STAT_AREA]
    assert areas.max() > 0.7 * areas.sum()
