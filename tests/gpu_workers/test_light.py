"""Shadows against the light that throws them: on shapes whose shadow one can work out, and on written files."""

from dataclasses import replace
from pathlib import Path

import cv2
import msgspec
import numpy as np
import pytest
from numpy.typing import NDArray

from gpu_workers.imaging.encoding import encode
from gpu_workers.imaging.linear_light import eight_bit
from gpu_workers.operations.packshot import footing, light, shadow
from gpu_workers.operations.packshot.light import Light
from gpu_workers.operations.packshot.light_measures import measure_light
from gpu_workers.operations.packshot.measures import measure
from gpu_workers.operations.packshot.packshot import Rendered, packshot
from schemas import channels
from schemas.channels import Channel, Size
from schemas.operations.packshot import PackshotParameters
from tests.gpu_workers.products import block, mug, with_own_shadow

TRUTH = Path(__file__).parents[2] / "loadtest" / "rendering" / "catalogue" / "truth"
LAMP = Light(azimuth_deg=-45, elevation_deg=45, softness_deg=2, share=0.5)


def stool(side: int = 200) -> NDArray[np.uint8]:
    """A seat on four legs, those at the back seen higher: at columns 40 and 140 in front, 80 and 160 behind."""
    rgba = np.zeros((side, side, 4), np.uint8)
    rgba[40:60, 30:171] = (120, 90, 60, 255)
    for left, end in ((40, 170), (80, 150), (140, 170), (160, 150)):
        rgba[60:end, left : left + 8] = (120, 90, 60, 255)
    return rgba


def post() -> NDArray[np.uint8]:
    """A thin upright post, 100 px high, that stands at (100, 150)."""
    alpha = np.zeros((200, 300), np.uint8)
    alpha[50:150, 98:103] = 255
    return alpha


def centre(dark: NDArray[np.float32]) -> tuple[float, float]:
    y, x = np.mgrid[: dark.shape[0], : dark.shape[1]]
    return float((x * dark).sum() / dark.sum()), float((y * dark).sum() / dark.sum())


def rules() -> Channel:
    return msgspec.structs.replace(
        channels.load("shopify"), canvas=Size(400, 400), smallest=Size(80, 80), scale_max=4.0
    )


def rendered(mode: str, rgba: NDArray[np.uint8] | None = None, ground: str = "#FFFFFF") -> Rendered:
    parameters = PackshotParameters.parse({"shadow.mode": mode, "background.color": ground, "padding": "0.2"})
    return packshot(stool() if rgba is None else rgba, rules(), parameters)


def measured(picture: Rendered, canvas: NDArray[np.uint8] | None = None) -> dict[str, float]:
    return measure(encode(picture.canvas if canvas is None else canvas, rules()).data, picture, rules())


def test_legs_behind_stand_on_the_ground_as_those_in_front_do() -> None:
    stance = light.stand(stool()[..., 3])
    assert [stance.ground[column] for column in (44, 84, 144, 164)] == [170, 150, 170, 150]
    assert stance.feet[[44, 84, 144, 164]].all()
    assert not stance.feet[[60, 120]].any()
    assert stance.clearance[120] == pytest.approx(stance.ground[120] - 60)
    assert stance.clearance[10] == np.inf


def test_a_handle_is_no_foot() -> None:
    stance = light.stand(mug()[..., 3])
    assert stance.feet[100:180].all()
    assert not stance.feet[55:75].any()
    assert (stance.ground == 160).all()


@pytest.mark.parametrize(("azimuth", "right", "away"), [(-45, 1, 1), (45, -1, 1), (-135, 1, -1), (90, -1, 0)])
def test_a_shadow_lies_away_from_its_light(azimuth: float, right: int, away: int) -> None:
    dark = light.occlusion(post(), light.stand(post()), replace(LAMP, azimuth_deg=azimuth))
    x, y = centre(dark)
    assert np.sign(x - 100) == right
    assert abs(x - 100) > 20
    assert np.sign(round((150 - y) / 4)) == away


def test_a_shadow_is_as_long_as_its_light_is_low() -> None:
    stance = light.stand(post())
    ends = []
    for elevation in (30.0, 60.0):
        dark = light.occlusion(post(), stance, replace(LAMP, azimuth_deg=-90, elevation_deg=elevation))
        ends.append(float(np.flatnonzero((dark > 0.02).any(axis=0))[-1]) - 100)
    assert ends[0] == pytest.approx(100 / np.tan(np.radians(30)), rel=0.1)
    assert ends[1] == pytest.approx(100 / np.tan(np.radians(60)), rel=0.15)


def test_a_shadow_blurs_with_the_height_of_what_throws_it_and_with_the_size_of_the_light() -> None:
    stance = light.stand(post())
    hard, soft = (
        light.occlusion(post(), stance, replace(LAMP, azimuth_deg=-90, softness_deg=softness)) for softness in (2, 30)
    )
    near, far = soft[:, 120].max(), soft[:, 180].max()
    assert near > 1.5 * far
    assert hard[:, 180].max() > 1.5 * far
    widths = [(dark[:, 170] > dark[:, 170].max() / 4).sum() for dark in (hard, soft)]
    assert widths[1] >= widths[0] + 3


def test_what_hovers_throws_its_whole_shape_beside_it() -> None:
    alpha = block(200, 200, (60, 60, 140, 140))[..., 3]
    dark = light.drop(alpha, 20, Light(azimuth_deg=-135, elevation_deg=45, softness_deg=20, share=0.4))
    x, y = centre(dark)
    assert (x - 99.5, y - 99.5) == pytest.approx((14.1, 14.1), abs=0.5)


@pytest.mark.parametrize("mode", ["contact", "soft", "hard", "floating", "reflection"])
def test_the_ground_at_the_rim_is_exactly_as_asked_for(mode: str) -> None:
    picture = rendered(mode, block(200, 200, (20, 20, 180, 180)), "#C9D3C0")
    rim = np.concatenate([picture.canvas[0], picture.canvas[-1], picture.canvas[:, 0], picture.canvas[:, -1]])
    assert (rim == (0xC9, 0xD3, 0xC0)).all()
    assert (picture.canvas != (0xC9, 0xD3, 0xC0)).any(axis=2).sum() > (picture.mask > 0).sum() + 200


@pytest.mark.parametrize("mode", ["soft", "hard"])
def test_the_written_shadow_is_that_of_its_light(mode: str) -> None:
    picture = rendered(mode)
    found = measured(picture)
    assert found["shadow_azimuth_error_deg"] <= 15
    assert found["contact_darkening"] > 0.08
    assert found["canvas_difference_max"] <= 2


def test_the_soft_shadow_of_a_wire_bowl_says_where_its_light_is(monkeypatch: pytest.MonkeyPatch) -> None:
    bowl = cv2.imread(str(TRUTH / "BWL-WIRE-29-busy.png"), cv2.IMREAD_GRAYSCALE)
    assert bowl is not None
    rgba = np.dstack([np.full((*bowl.shape, 3), 60, np.uint8), bowl])
    parameters, meant = PackshotParameters.parse({"shadow.mode": "soft"}), shadow.LIGHTS["soft"]
    errors = []
    for turned_deg in (0, 40, 90):
        monkeypatch.setitem(shadow.LIGHTS, "soft", replace(meant, azimuth_deg=meant.azimuth_deg + turned_deg))
        picture = replace(packshot(rgba, channels.load("etsy"), parameters), light=meant)
        found = measure(encode(picture.canvas, channels.load("etsy")).data, picture, channels.load("etsy"))
        errors.append(found["shadow_azimuth_error_deg"])
    assert errors == pytest.approx([0, 40, 90], abs=10)


def test_how_a_product_stands_is_the_same_at_another_size() -> None:
    stance = light.stand(stool()[..., 3])
    half = stance.resized(100)
    assert half.ground[[22, 42, 72, 82]] == pytest.approx([85, 75, 85, 75], abs=0.5)
    assert (half.feet.sum(), half.height_px) == (pytest.approx(stance.feet.sum() / 2, abs=4), stance.height_px / 2)


def test_a_foot_that_is_thinner_than_a_pixel_of_another_size_is_still_one() -> None:
    heart = np.zeros((1000, 1000), np.uint8)
    cv2.fillPoly(heart, [np.array([[100, 100], [900, 100], [503, 900], [501, 900]])], 255)
    stance = light.stand(heart)
    assert 0 < stance.feet.sum() < 6
    for width_px in (40, 160, 333, 1000, 1700):
        assert stance.resized(width_px).feet.any()


def test_a_shadow_on_the_wrong_side_is_noticed() -> None:
    picture = rendered("hard")
    wrong = shadow.cast(picture.mask, "hard", replace(shadow.LIGHTS["hard"], azimuth_deg=45))
    ground = 255 * (1 - wrong[..., None]) ** (1 / 2.2)
    canvas = np.where(picture.mask[..., None] > 0, picture.canvas, ground).astype(np.uint8)
    assert measured(picture, canvas)["shadow_azimuth_error_deg"] > 35


def test_a_product_that_lost_its_shadow_floats() -> None:
    picture = rendered("soft")
    canvas = np.where(picture.mask[..., None] > 0, picture.canvas, 255).astype(np.uint8)
    found = measured(picture, canvas)
    assert found["shadow_azimuth_error_deg"] == 180
    assert found["contact_darkening"] < 0.08


def test_a_flat_product_is_mirrored_at_the_line_on_which_it_stands() -> None:
    rgba = block(200, 200, (60, 60, 140, 140), 200)
    rgba[100:140, 60:140, :3] = (200, 40, 40)
    picture = rendered("reflection", rgba)
    assert picture.shadow_made
    assert picture.reflection is not None
    rows = np.flatnonzero((picture.mask == 255).any(axis=1))
    below = picture.canvas[rows[-1] + 12, 200].astype(int)
    assert below[0] > below[1] + 10
    assert (picture.canvas[-1] == 255).all()
    assert measured(picture)["canvas_difference_max"] <= 2


def test_what_does_not_stand_flat_is_not_mirrored_and_says_so() -> None:
    picture = rendered("reflection", stool())
    assert picture.reflection is None
    assert measured(picture)["shadow_made"] == 0


def test_the_suppliers_own_shadow_stays_as_they_saw_it() -> None:
    sent = with_own_shadow(mug())
    picture = rendered("own", sent)
    found = measured(picture)
    assert (found["shadow_made"], found["background_exact_share"]) == (1, 1)
    scale, x, y = picture.placement.scale, picture.placement.x_px, picture.placement.y_px
    shown = picture.canvas[int((168 + 0.5) * scale + y), int((140 + 0.5) * scale + x), 0]
    assert abs(int(shown) - (255 - int(sent[168, 140, 3]))) <= 3
    assert not shadow.cast(picture.mask, "own").any()


def test_a_suppliers_shadow_that_is_not_there_is_missed() -> None:
    assert measured(rendered("own", mug()))["shadow_made"] == 0


def test_without_a_shadow_there_is_no_light_to_measure() -> None:
    found = measured(rendered("none"))
    assert not {"shadow_made", "shadow_azimuth_error_deg", "contact_darkening", "lighting_made"} & found.keys()


def test_shadows_are_the_same_every_time_and_at_every_size() -> None:
    mask = rendered("hard").mask
    assert np.array_equal(shadow.cast(mask, "hard"), shadow.cast(mask, "hard"))
    large = cv2.resize(mask, None, fx=2, fy=2, interpolation=cv2.INTER_LINEAR)
    half = cv2.resize(shadow.cast(large, "soft"), None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
    assert np.abs(half - shadow.cast(mask, "soft")).mean() < 0.01


def slipper() -> NDArray[np.uint8]:
    """A low, wide thing that is higher at its heel than at its toe, as shoes are."""
    rgba = np.zeros((400, 400, 4), np.uint8)
    outline = np.array([[50, 300], [50, 210], [120, 210], [350, 270], [350, 300]])
    cv2.fillPoly(rgba, [outline], (90, 110, 160, 255))
    return rgba


def tipping() -> NDArray[np.uint8]:
    """A square on one of its corners, its middle beside it."""
    rgba = np.zeros((400, 400, 4), np.uint8)
    cv2.fillPoly(rgba, [np.array([[120, 330], [60, 180], [250, 60], [330, 200]])], (90, 110, 160, 255))
    return rgba


def test_a_shadow_beside_a_low_wide_product_has_no_hard_level_edge() -> None:
    assert measured(rendered("soft", slipper()))["shadow_edge_share"] <= 0.05


def test_the_soft_shadow_beside_a_sneaker_s_toe_fades_and_is_not_called_cut_off() -> None:
    photograph = cv2.imread(str(TRUTH.parent / "photographs" / "SHO-CANVAS-42-studio.jpg"))
    alpha = cv2.imread(str(TRUTH / "SHO-CANVAS-42-studio.png"), cv2.IMREAD_GRAYSCALE)
    assert photograph is not None
    assert alpha is not None
    rgba = np.dstack([photograph[..., ::-1], alpha])
    picture = packshot(rgba, channels.load("instagram"), PackshotParameters.parse({"shadow.mode": "soft"}))
    assert measure_light(eight_bit(picture.canvas), picture)["shadow_edge_share"] <= 0.02


def test_a_shadow_that_was_cut_off_is_noticed() -> None:
    picture = rendered("soft", slipper())
    canvas, mask = eight_bit(picture.canvas).copy(), picture.mask > 0
    columns = np.flatnonzero(mask.any(axis=0))
    bottom = int(np.flatnonzero(mask.any(axis=1))[-1])
    block = np.s_[bottom - 40 : bottom - 2, columns[-1] - 30 : columns[-1] + 30]
    canvas[block] = np.where(mask[block][..., None], canvas[block], 215)
    assert measured(picture, canvas)["shadow_edge_share"] > 0.05


@pytest.mark.parametrize(("mode", "made"), [(None, "floating"), ("soft", "soft")])
def test_what_would_tip_over_lies_and_is_seen_from_above_unless_asked_for(mode: str | None, made: str) -> None:
    wanted = {} if mode is None else {"shadow.mode": mode}
    picture = packshot(tipping(), rules(), PackshotParameters.parse({**wanted, "background.color": "#FFFFFF"}))
    assert picture.shadow_mode == made


def test_stools_and_mugs_do_not_tip_over() -> None:
    for rgba in (stool(), mug(), slipper()):
        assert footing.footing(rgba[..., 3]) == "stands"
