"""What the name says."""

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from gpu_workers.imaging.encoding import encode
from gpu_workers.imaging.linear_light import to_linear, to_srgb
from gpu_workers.imaging.resampling import resample
from gpu_workers.operations.packshot import shadow
from gpu_workers.operations.packshot.packshot import EmptyCutout, Rendered, packshot, place
from gpu_workers.operations.transparent import transparent
from schemas import channels
from schemas.channels import Size
from schemas.operations.base import BadParameters
from schemas.operations.packshot import PackshotParameters
from tests.gpu_workers.packshots import small
from tests.gpu_workers.products import block, mug, with_own_shadow


def box_of(rendered: Rendered) -> tuple[int, int, int, int]:
    rows, columns = np.nonzero(rendered.mask >= 128)
    return int(columns.min()), int(rows.min()), int(columns.max()) + 1, int(rows.max()) + 1


def test_linear_light_and_back_is_exact() -> None:
    codes = np.arange(256, dtype=np.uint8)
    assert np.array_equal(to_srgb(to_linear(codes)), codes)
    assert to_linear(np.array([0, 255], np.uint8)).tolist() == [0.0, 1.0]


@pytest.mark.parametrize("scale", [0.31, 1.0, 1.7])
def test_resampling_keeps_a_ramp_a_ramp_where_it_should_lie(scale: float) -> None:
    y, x = np.mgrid[:60, :80].astype(np.float32) + 0.5
    offset = (3.25, -1.5)
    out = resample(np.dstack([x, y]), scale, offset, (int(70 * scale), int(50 * scale)))
    rows, columns = np.mgrid[: out.shape[0], : out.shape[1]] + 0.5
    inner = (slice(int(8 * scale) + 4, -int(12 * scale) - 4),) * 2
    assert np.abs(out[..., 0] - (columns - offset[0]) / scale)[inner].max() < 0.02
    assert np.abs(out[..., 1] - (rows - offset[1]) / scale)[inner].max() < 0.02


@pytest.mark.parametrize("name", ["amazon", "google", "zalando", "shopify", "instagram"])
def test_fill_centre_and_background_are_the_channels(name: str) -> None:
    channel = small(name)
    rendered = packshot(mug(), channel)
    left, top, right, bottom = box_of(rendered)
    assert rendered.canvas.shape == (320, 320, 3)
    assert abs(max(right - left, bottom - top) - channel.fill.target * 320) <= 1.5
    assert abs((left + right) / 2 - 160) <= 1
    assert abs((top + bottom) / 2 - 160) <= 1
    away = (rendered.mask == 0) & (rendered.shadow == 0)
    assert channel.background is not None
    assert away[0].all()
    assert (rendered.canvas[away] == list(bytes.fromhex(channel.background[1:]))).all()


def test_a_tall_canvas_is_filled_by_the_side_that_binds() -> None:
    channel = small("zalando", canvas=Size(180, 260))
    wide, tall = (packshot(block(200, 200, box), channel) for box in ((20, 80, 180, 120), (90, 20, 110, 180)))
    assert box_of(wide)[2] - box_of(wide)[0] == pytest.approx(0.9 * 180, abs=1.5)
    assert box_of(tall)[3] - box_of(tall)[1] == pytest.approx(0.9 * 260, abs=1.5)


def test_the_canvas_shrinks_before_pixels_are_enlarged() -> None:
    google = channels.load("google")
    alpha = block(700, 700, (50, 50, 650, 650))[..., 3]
    placement = place(alpha, google, PackshotParameters())
    assert placement.scale == 1.0
    assert placement.canvas == Size(698, 698)
    assert pytest.approx(google.fill.target, abs=0.001) == 600 / 698


def test_the_canvas_shrinks_no_further_than_the_channels_smallest() -> None:
    amazon = channels.load("amazon")
    placement = place(block(200, 200, (50, 50, 150, 150))[..., 3], amazon, PackshotParameters())
    assert placement.canvas == amazon.smallest
    assert placement.scale == amazon.scale_max


def test_at_scale_one_no_pixel_is_resampled() -> None:
    rgba = mug()
    rendered = packshot(rgba, small("google", scale_max=1.0, canvas=Size(1500, 1500)))
    placement = rendered.placement
    assert placement.scale == 1.0
    x, y = int(placement.x_px), int(placement.y_px)
    solid = rgba[..., 3] == 255
    rows, columns = np.nonzero(solid)
    assert np.array_equal(rendered.canvas[rows + y, columns + x], rgba[solid][:, :3])


@pytest.mark.parametrize(
    ("box", "edge"),
    [
        ((0, 40, 80, 100), "left"),
        ((40, 0, 100, 80), "top"),
        ((70, 40, 150, 100), "right"),
        ((40, 60, 100, 150), "bottom"),
    ],
)
@pytest.mark.parametrize("scale_max", [1.0, 4.0])
def test_a_product_cut_off_by_its_photograph_meets_the_canvas_edge(
    box: tuple[int, int, int, int], edge: str, scale_max: float
) -> None:
    rendered = packshot(block(150, 150, box, 60), small("amazon", scale_max=scale_max))
    assert rendered.placement.cropped == (edge,)
    lines = {
        "left": rendered.mask[:, 0],
        "top": rendered.mask[0],
        "right": rendered.mask[:, -1],
        "bottom": rendered.mask[-1],
    }
    assert lines.pop(edge).max() == 255
    assert all(line.max() == 0 for line in lines.values())


def test_a_picture_trimmed_to_its_product_is_not_cut_off() -> None:
    rendered = packshot(mug()[40:160, 50:190], small("amazon"))
    assert rendered.placement.cropped == ()
    assert box_of(rendered)[0] > 10


def test_who_wears_a_product_is_cut_off_wherever_the_frame_meets_it() -> None:
    """Nobody trims a photograph to a torso: between two cuts it reaches from edge to edge, and casts nothing there."""
    torso = block(150, 150, (0, 30, 150, 150), 90)
    torso[:30, 60:90] = torso[60, 60]  # a neck
    assert packshot(torso, small("shopify")).placement.cropped == ()
    rendered = packshot(torso, small("shopify"), worn=True)
    assert {"top", "bottom"} <= {*rendered.placement.cropped}
    assert rendered.mask[0].max() == rendered.mask[-1].max() == 255


@pytest.mark.parametrize("channel", ["shopify", "instagram"])
def test_what_is_cut_off_at_both_sides_and_below_is_made(channel: str) -> None:
    rendered = packshot(block(150, 150, (0, 30, 150, 150), 60), small(channel))
    assert rendered.placement.cropped == ("left", "right", "bottom")
    assert rendered.mask[-1].max() == 255


def test_edges_mix_in_linear_light() -> None:
    rgba = block(100, 100, (20, 20, 80, 80), 0)
    rgba[20:80, 79, 3] = 128
    rendered = packshot(rgba, small("google", scale_max=1.0, canvas=Size(1500, 1500)))
    column = box_of(rendered)[2] - 1
    assert rendered.mask[rendered.mask.shape[0] // 2, column] == 128
    assert abs(int(rendered.canvas[rendered.mask.shape[0] // 2, column, 0]) - 187) <= 1  # light .498, not code 127


def test_nothing_opaque_is_refused() -> None:
    faint = np.full((64, 64, 4), 100, np.uint8)
    for empty in (np.zeros((64, 64, 4), np.uint8), faint):
        with pytest.raises(EmptyCutout):
            packshot(empty, channels.load("amazon"))


def test_equal_inputs_give_equal_bytes() -> None:
    channel = small("shopify")
    first, second = (encode(packshot(mug(), channel).canvas, channel).data for _ in range(2))
    assert first == second


def test_a_merchants_parameters_take_the_place_of_the_rules() -> None:
    parameters = PackshotParameters.parse(
        {"background.color": "#102030", "shadow.mode": "none", "padding": "0.2", "outputSize": "200x300"}
    )
    rendered = packshot(mug(), small("instagram"), parameters)
    assert rendered.canvas.shape == (300, 200, 3)
    assert rendered.canvas[0, 0].tolist() == [0x10, 0x20, 0x30]
    assert box_of(rendered)[2] - box_of(rendered)[0] == pytest.approx(0.6 * 200, abs=1.5)
    assert not rendered.shadow.any()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("background.color", "white"),
        ("background.color", "#12345"),
        ("shadow.mode", "dark"),
        ("padding", "0.5"),
        ("padding", "wide"),
        ("outputSize", "0x100"),
        ("outputSize", "1600"),
        ("color", "#FFFFFF"),
        ("margin.top", "0.5"),
        ("scaling", "stretch"),
        ("horizontalAlignment", "top"),
        ("verticalAlignment", "middle"),
        ("straighten", "yes"),
        ("lighting.mode", "studio"),
        ("export.dpi", "0"),
        ("export.dpi", "fine"),
    ],
)
def test_bad_parameters_are_named(name: str, value: str) -> None:
    with pytest.raises(BadParameters, match=f"`{name}`") as caught:
        PackshotParameters.parse({"padding": "0.1", name: value})
    assert caught.value.field == name


@pytest.mark.parametrize(
    ("wanted", "left", "top", "right", "bottom"),
    [
        ({"margin": "0.1"}, 32, 50, 288, 270),
        ({"margin.left": "0.4", "margin.right": "0.1"}, 128, 91, 288, 229),
        ({"margin.bottom": "0.3", "verticalAlignment": "bottom", "padding": "0.1"}, 67, 32, 253, 192),
        ({"padding": "0.2", "horizontalAlignment": "left", "verticalAlignment": "top"}, 64, 64, 256, 229),
        ({"padding": "0.2", "horizontalAlignment": "right", "verticalAlignment": "bottom"}, 64, 91, 256, 256),
        ({"padding": "0.25", "outputSize": "640x320", "horizontalAlignment": "left"}, 160, 80, 347, 240),
        ({"padding": "0.25", "outputSize": "640x320", "horizontalAlignment": "right"}, 293, 80, 480, 240),
        ({"padding": "0.25", "outputSize": "640x320", "scaling": "fill"}, 160, 23, 480, 297),
    ],
)
def test_the_product_stands_where_a_merchant_wants_it(
    wanted: dict[str, str], left: int, top: int, right: int, bottom: int
) -> None:
    """The mug's box is 140 x 120; the canvas 320 x 320, or as given."""
    rendered = packshot(mug(), small("amazon"), PackshotParameters.parse(wanted))
    assert box_of(rendered) == pytest.approx((left, top, right, bottom), abs=1.5)


def test_a_product_that_fills_its_canvas_is_cut_by_it() -> None:
    parameters = PackshotParameters.parse({"padding": "0", "outputSize": "200x320", "scaling": "fill"})
    rendered = packshot(mug(), small("amazon"), parameters)
    assert box_of(rendered) == (0, 0, 200, 320)
    assert rendered.mask[160, 199] == 255


@pytest.mark.parametrize(
    ("wanted", "field"),
    [
        ({"margin.left": "0.45", "margin.right": "0.45", "padding": "0.1"}, "margin.left"),
        ({"margin": "0.45", "padding": "0.05"}, "margin.left"),
        ({"margin.top": "0.45", "margin.bottom": "0.45", "padding": "0.05"}, "margin.top"),
    ],
)
def test_margins_that_leave_no_room_are_refused(wanted: dict[str, str], field: str) -> None:
    with pytest.raises(BadParameters, match=f"`{field}`") as caught:
        packshot(mug(), small("amazon"), PackshotParameters.parse(wanted))
    assert caught.value.field == field


def test_the_suppliers_shadow_goes_and_the_product_stays() -> None:
    rgba = mug()
    sent = with_own_shadow(rgba)
    left = shadow.strip(sent)
    assert ((sent[..., 3] > 0) & (rgba[..., 3] == 0)).sum() > 1000
    assert ((left[..., 3] > 8) & (rgba[..., 3] == 0)).sum() == 0
    assert np.abs(left[..., 3].astype(int) - rgba[..., 3]).mean() < 0.5
    opaque = rgba[..., 3] == 255
    assert np.array_equal(left[opaque], sent[opaque])


def test_far_from_its_shadow_nothing_is_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    """Taking it off costs what the shadow's own box costs, however large the picture is about it."""
    sizes, unmix = [], shadow._unmix

    def watched(out: NDArray[np.uint8], *others: Any) -> None:
        sizes.append(out.shape)
        unmix(out, *others)

    monkeypatch.setattr(shadow, "_unmix", watched)
    sent = with_own_shadow(mug())
    wider = np.pad(sent, ((300, 300), (400, 400), (0, 0)))
    left = shadow.strip(wider)
    assert np.array_equal(left[300:-300, 400:-400], shadow.strip(sent))
    assert all(height <= sent.shape[0] + 16 and width <= sent.shape[1] + 16 for height, width, _ in sizes)


def test_without_a_shadow_of_its_own_nothing_is_touched() -> None:
    assert shadow.strip(rgba := mug()) is rgba


def test_a_dark_lens_in_a_frame_is_no_shadow() -> None:
    rgba = block(120, 120, (20, 20, 100, 100), 200)
    rgba[35:85, 35:85] = (20, 20, 20, 110)
    assert shadow.strip(rgba) is rgba
    kept = shadow.strip(with_own_shadow(rgba))
    assert (kept[40:80, 40:80, 3] >= 105).all()


def test_fill_ignores_the_suppliers_shadow() -> None:
    plain, shadowed = (packshot(rgba, small("amazon")) for rgba in (mug(), with_own_shadow(mug())))
    assert box_of(plain) == box_of(shadowed)
    assert plain.own_shadow == 0
    assert shadowed.own_shadow > 0.05


def test_no_shadow_for_marketplaces_and_a_soft_one_for_shops() -> None:
    assert not packshot(mug(), small("amazon")).shadow.any()
    rendered = packshot(mug(), small("shopify"))
    left, _, right, bottom = box_of(rendered)
    beneath = rendered.shadow[bottom : bottom + 3, (left + right) // 2]
    assert beneath.min() > 0.2
    assert (rendered.shadow[0] == 0).all()
    below = rendered.canvas[bottom + 1, (left + right) // 2]
    assert below.max() < 245
    assert np.ptp(below) <= 1


def test_a_soft_shadow_is_wider_and_a_contact_shadow_closer() -> None:
    mask = packshot(mug(), small("amazon")).mask
    contact, soft = shadow.cast(mask, "contact"), shadow.cast(mask, "soft")
    assert 0 < (contact > 0).sum() < (soft > 0).sum()
    assert contact.max() <= 0.51
    assert (soft >= contact - 1e-6).all()


def test_the_transparent_cutout_is_trimmed_and_keeps_its_pixels() -> None:
    rgba = mug()
    rendered = transparent(rgba, channels.load("web"))
    height, width = rendered.canvas.shape[:2]
    assert (width, height) == (round(140 / 0.96), round(120 / 0.96))
    x, y = int(rendered.placement.x_px), int(rendered.placement.y_px)
    assert np.array_equal(rendered.mask, rgba[-y : height - y, -x : width - x, 3])
    solid = rendered.mask == 255
    assert np.array_equal(rendered.canvas[solid], rgba[-y : height - y, -x : width - x][solid])


def test_what_is_not_scaled_is_scaled_by_just_one() -> None:
    web = channels.load("web")
    sizes = range(20, 400, 3)
    placed = [place(np.full((side, 2 * side), 255, np.uint8), web, PackshotParameters()) for side in sizes]
    assert {placement.scale for placement in placed} == {1.0}
