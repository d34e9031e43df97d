import msgspec
import numpy as np
import pytest

from gpu_workers.imaging.colour_difference import ciede2000, codes_to_lab, lab_to_srgb, srgb_to_lab
from gpu_workers.imaging.linear_light import coded, colour, to_linear
from gpu_workers.library.brands import BrandProfile
from gpu_workers.operations.style.brand_learning import learn
from gpu_workers.operations.style.style import SLOPE_MAX, SLOPE_MIN, style
from gpu_workers.operations.style.surroundings import distance, quantiles, see, style_distance, style_z
from schemas.operations.base import BadParameters
from schemas.operations.style import StyleParameters
from tests.gpu_workers.pictures import example, in_room, on_ground

COLD = (4, 5, 6)


@pytest.fixture(scope="module")
def house() -> BrandProfile:
    shots = [on_ground(padding=padding) for padding in np.linspace(0.13, 0.17, 6)]
    return learn("house", [example(*picture) for picture in [*shots, *(in_room(seed) for seed in range(20))]])


@pytest.mark.parametrize("seed", range(100, 106))
@pytest.mark.parametrize("deep", [False, True])
def test_surroundings_come_near_the_brand_and_the_product_stays(house: BrandProfile, seed: int, deep: bool) -> None:
    rgb, mask = in_room(seed, COLD, contrast=90)
    canvas = coded(to_linear(rgb), np.uint16 if deep else np.uint8)
    styled = style(canvas, mask, house)
    assert styled.canvas.dtype == canvas.dtype
    assert styled.measures["style_distance"] <= 0.5 * styled.measures["style_distance_before"]
    solid = mask >= 250
    change = ciede2000(codes_to_lab(canvas[solid]), codes_to_lab(styled.canvas[solid]))
    assert np.median(change) <= 2
    assert np.percentile(change, 95) <= 4
    assert styled.measures["product_delta_e_median"] == pytest.approx(np.median(change), abs=0.05)


def test_a_catalogue_comes_to_look_of_one_piece(house: BrandProfile) -> None:
    """Rooms in every light come nearer to the house's, and to each other."""
    random = np.random.default_rng(3)
    pictures = [in_room(seed, random.integers(-20, 20, 3).tolist(), 90) for seed in range(200, 212)]
    styled = [style(*picture, house) for picture in pictures]
    far = [np.mean([one.measures[f"style_distance{when}"] for one in styled]) for when in ("_before", "")]
    assert far[1] <= 0.5 * far[0]
    before = [quantiles(see(*picture).around) for picture in pictures]
    after = [quantiles(see(one.canvas, picture[1]).around) for one, picture in zip(styled, pictures, strict=True)]
    spreads = [np.mean([distance(a, b) for a in seen for b in seen]) for seen in (before, after)]
    assert spreads[1] <= 0.6 * spreads[0]


def test_the_brands_own_packshot_is_left_alone(house: BrandProfile) -> None:
    canvas, mask = on_ground()
    assert np.array_equal(style(canvas, mask, house).canvas, canvas)


def test_a_plain_ground_becomes_the_brands(house: BrandProfile) -> None:
    canvas, mask = on_ground("#D9DDE0")
    styled = style(canvas, mask, house).canvas
    assert np.abs(styled[0, 0].astype(int) - colour("#E7DFD0")).max() <= 2


def test_a_light_ground_darkens_as_far_as_the_brands(house: BrandProfile) -> None:
    """White does not hold it up: what was lighter than the ground is as much lighter than the brand's."""
    canvas, mask = on_ground("#F4F4F2")
    canvas[:8, :8] = 255
    styled = style(canvas, mask, msgspec.structs.replace(house, background="#D6C7B2")).canvas
    assert np.abs(styled[20, 20].astype(int) - colour("#D6C7B2")).max() <= 2
    lighter = [np.diff(srgb_to_lab(each[[20, 0], [20, 0]])[:, 0])[0] for each in (canvas, styled)]
    assert lighter[1] == pytest.approx(lighter[0], abs=1)


def test_the_distance_is_to_what_the_brand_has_for_the_picture_as_it_came(house: BrandProfile) -> None:
    """A ground that falls off may no longer count as plain when its tones were stretched, and is measured as one."""
    grey = lab_to_srgb(np.stack([np.linspace(59, 83, 320), np.zeros(320), np.zeros(320)], axis=-1))
    canvas = np.ascontiguousarray(np.broadcast_to(np.rint(grey * 255).astype(np.uint8)[:, None], (320, 320, 3)))
    mask = on_ground()[1]
    styled = style(canvas, mask, house)
    seen = see(styled.canvas, mask)
    assert (see(canvas, mask).kind, seen.kind) == ("plain", "scene")
    assert house.plain is not None
    wanted = np.array(house.plain.colours.quantiles)
    assert styled.measures["style_distance"] == pytest.approx(distance(quantiles(seen.around), wanted))


def test_white_that_a_channel_demands_stays_white(house: BrandProfile) -> None:
    canvas, mask = on_ground("#FFFFFF")
    white = np.full(3, 255, np.uint8)
    styled = style(canvas, mask, house, ground=white).canvas
    was = (canvas == 255).all(axis=2)
    assert was.mean() > 0.3
    assert (styled[was] == 255).all()
    # The shadow is the brand's, and meets the white without a step.
    assert not np.array_equal(styled, canvas)
    nearly = (canvas.min(axis=2) >= 250) & (mask == 0)
    assert np.abs(styled[nearly].astype(int) - canvas[nearly]).max() <= 3


@pytest.mark.parametrize("ground", ["#F2F2F0", "#C8D4C0"])
def test_any_colour_that_is_demanded_stays_exact(house: BrandProfile, ground: str) -> None:
    canvas, mask = on_ground(ground)
    exact = (canvas == colour(ground)).all(axis=2)
    assert (style(canvas, mask, house, ground=colour(ground)).canvas[exact] == colour(ground)).all()


def test_no_halo_at_the_products_edge(house: BrandProfile) -> None:
    """Across a soft edge colours go from the surroundings' to the product's and never beyond either."""
    alpha = np.clip((np.arange(240) - 100) / 8, 0, 1).astype(np.float32)[None, :, None]
    surroundings = np.repeat(in_room(7, COLD)[0][:, 99:100], 240, axis=1)
    surroundings[:, 120:] = in_room(7, COLD)[0][:, 120:]
    product = np.full_like(surroundings, (60, 120, 140))
    mixed = np.rint(alpha * product + (1 - alpha) * surroundings).astype(np.uint8)
    mask = np.rint(np.broadcast_to(alpha[..., 0], mixed.shape[:2]) * 255).astype(np.uint8)
    styled = style(mixed, mask, house).canvas.astype(int)
    assert np.abs(styled[:, 98] - mixed[:, 98]).max() > 10
    ends = np.sort(np.stack([styled[:, 98], styled[:, 109]]), axis=0)[:, :, None]
    beyond = np.maximum(ends[0] - styled[:, 98:110], styled[:, 98:110] - ends[1])
    assert np.percentile(beyond, 99) <= 2
    assert beyond.max() <= 6


def test_slopes_stay_within_their_limits(house: BrandProfile) -> None:
    for seed, contrast in ((300, 60.0), (301, 140.0)):
        table = style(*in_room(seed, COLD, contrast), house).lut
        greys = lab_to_srgb(np.stack([np.linspace(2, 98, 97), np.zeros(97), np.zeros(97)], axis=-1))
        slopes = np.diff(srgb_to_lab(table.of(greys))[:, 0])
        assert slopes.min() >= SLOPE_MIN - 0.25
        assert slopes.max() <= SLOPE_MAX + 0.25
        ends = table.of(np.array([[0, 0, 0], [1, 1, 1]], np.float32))
        assert ends == pytest.approx(np.array([[0, 0, 0], [1, 1, 1]]), abs=0.02)


def test_greys_take_on_no_cast_against_the_brands_hue(house: BrandProfile) -> None:
    """Taking much red out of a room must not turn its greys to cyan."""
    table = style(*in_room(8, (60, -30, -40), 90), house).lut
    greys = np.repeat(np.linspace(0.2, 0.9, 8, dtype=np.float32)[:, None], 3, axis=1)
    chroma = srgb_to_lab(table.of(greys))[:, 1:]
    assert house.scene is not None
    wanted = np.array(house.scene.colours.mean[1:])
    assert (chroma @ wanted / np.linalg.norm(wanted)).min() >= -4.5


def test_the_cap_is_kept_whatever_it_is(house: BrandProfile) -> None:
    picture = in_room(9, COLD)
    found = [
        style(*picture, house, StyleParameters.parse({"product.cap": cap})).measures for cap in ("0", "0.5", "2", "10")
    ]
    medians = [measures["product_delta_e_median"] for measures in found]
    assert medians[0] == 0
    assert medians[1] <= 0.5
    assert medians == sorted(medians)
    shares = [measures["product_share"] for measures in found]
    assert shares == sorted(shares)
    assert shares[3] > shares[2] > 0


def test_without_strength_nothing_changes(house: BrandProfile) -> None:
    rgb, mask = in_room(10, COLD)
    assert np.array_equal(style(rgb, mask, house, StyleParameters(strength=0.0)).canvas, rgb)


def test_a_look_changes_what_comes_out_but_not_how_near_it_is(house: BrandProfile) -> None:
    rgb, mask = in_room(11, COLD)
    plain, look = style(rgb, mask, house), style(rgb, mask, house, StyleParameters(lut="crisp"))
    assert not np.array_equal(plain.canvas, look.canvas)
    assert look.measures["style_distance"] <= 0.5 * look.measures["style_distance_before"]


def test_the_same_picture_gives_the_same_bytes(house: BrandProfile) -> None:
    rgb, mask = in_room(12, COLD)
    assert style(rgb, mask, house).canvas.tobytes() == style(rgb.copy(), mask.copy(), house).canvas.tobytes()


def test_a_picture_without_a_product_is_styled_all_over(house: BrandProfile) -> None:
    rgb, _ = in_room(13, COLD)
    styled = style(rgb, np.zeros(rgb.shape[:2], np.uint8), house)
    assert styled.measures["product_share"] == 1
    assert styled.measures["style_distance"] < styled.measures["style_distance_before"]


def test_an_outlier_is_distinguished_from_the_houses_own(house: BrandProfile) -> None:
    assert house.scene is not None
    own = [style_z(style_distance(see(*in_room(seed)), house), house.scene) for seed in range(400, 420)]
    other = [style_z(style_distance(see(*in_room(seed, COLD)), house), house.scene) for seed in range(400, 420)]
    assert sum(z is not None and z > 3.5 for z in own) <= 1
    assert sum(z is not None and z > 3.5 for z in other) >= 19


def test_with_fewer_than_twenty_examples_nothing_is_said_of_outliers(house: BrandProfile) -> None:
    canvas, mask = on_ground("#D9DDE0")
    assert house.plain is not None
    assert style_z(3.0, house.plain) is None
    assert "style_z" not in style(canvas, mask, house).measures


def test_the_distance_is_the_work_of_moving_one_spread_to_the_other() -> None:
    """Moved by a vector, every direction's work is the vector's part along it."""
    spread = np.random.default_rng(1).normal(50, 10, (4000, 3)).astype(np.float32)
    first, second = quantiles(spread), quantiles(spread + np.array([0, 6, 0], np.float32))
    assert distance(first, first) == 0
    assert distance(first, second) == pytest.approx(6 * (1 + 4 * 0.5**0.5) / 9, abs=1e-3)


def test_a_brand_that_shows_only_rooms_has_them_for_every_picture(house: BrandProfile) -> None:
    rooms = msgspec.structs.replace(house, plain=None, background=None)
    canvas, mask = on_ground("#D9DDE0")
    measures = style(canvas, mask, rooms).measures
    assert measures["style_distance"] < measures["style_distance_before"]


@pytest.mark.parametrize("name", ["product.cap", "strength"])
def test_a_parameter_out_of_range_is_named(name: str) -> None:
    with pytest.raises(BadParameters) as error:
        StyleParameters.parse({name: "-1"})
    assert error.value.field == name
