import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from gpu_workers.imaging.linear_light import to_srgb
from gpu_workers.imaging.resampling import resample
from gpu_workers.library import templates
from gpu_workers.library.templates import Area, BadTemplate, Template, UnknownTemplate
from gpu_workers.operations.artwork.artwork import BadArtwork, Printed, artwork, place
from gpu_workers.operations.artwork.fidelity import print_fidelity
from schemas.operations.artwork import ArtworkParameters
from schemas.operations.base import BadParameters

Rgba = NDArray[np.uint8]

SHIPPED = sorted(templates.find(templates.shipped_folder()))
AREAS = [(name, area.name) for name in SHIPPED for area in templates.named(name).areas]
BYTES_MAX = 2_000_000


def logo(width: int = 900, height: int = 700) -> Rgba:
    """A mark with rings, thin lines and words on nothing."""
    fine = np.zeros((height, width, 4), np.uint8)
    cv2.circle(fine, (width // 4, height // 3), height // 5, (210, 40, 50, 255), cv2.FILLED, cv2.LINE_AA)
    cv2.circle(fine, (width // 4, height // 3), height // 8, (250, 220, 120, 255), 9, cv2.LINE_AA)
    cv2.rectangle(fine, (width // 2, height // 8), (width - 40, height // 2), (30, 110, 190, 255), cv2.FILLED)
    for k in range(6):
        cv2.line(
            fine, (40, height - 60 - 12 * k), (width - 40, height - 60 - 12 * k), (20, 90, 60, 255), 3, cv2.LINE_AA
        )
    cv2.putText(fine, "Packshot 42", (40, height * 3 // 4), cv2.FONT_HERSHEY_DUPLEX, height / 260, (25, 25, 35, 255), 5)
    return fine


def full_bleed(width: int = 900, height: int = 700) -> Rgba:
    y, x = np.mgrid[:height, :width] / np.array([height, width])[:, None, None]
    colours = np.dstack([60 + 150 * x, 80 + 120 * y, 200 - 120 * x * y, np.full_like(x, 255)])
    codes: Rgba = np.rint(colours).astype(np.uint8)
    return codes


def over(ground: Rgba, art: Rgba) -> Rgba:
    both, opaque = ground.copy(), art[..., 3] > 127
    both[opaque] = art[opaque]
    return both


def on(template: str, art: Rgba, **values: str) -> Printed:
    given = {"template": template, "outputSize": "480x480"} | {name.replace("__", "."): v for name, v in values.items()}
    return artwork(art, templates.named(template), ArtworkParameters.parse(given))


@pytest.mark.parametrize("name", SHIPPED)
def test_a_shipped_template_is_whole_and_light(name: str) -> None:
    template = templates.named(name)
    found = templates.layers(template)
    assert found.mask.max() == 255
    for surface in template.maps:
        covered = found.maps[surface.name][..., 2] > 0
        assert 0.02 < covered.mean() < 0.9
        assert (found.mask[covered] > 0).all()
    assert sum(file.stat().st_size for file in template.folder.iterdir()) <= BYTES_MAX


@pytest.mark.parametrize(("name", "area"), AREAS)
def test_the_print_laid_flat_again_is_the_artwork(name: str, area: str) -> None:
    art = over(full_bleed(), logo()) if area in ("front", "side") else logo()
    printed = on(name, art, area=area)
    found = print_fidelity(printed, art)
    assert found["print_checked"] > 0.35
    assert found["print_ssim"] > 0.93
    assert found["print_de00_median"] < 0.8
    assert found["print_de00_p95"] < 2.5


def test_fidelity_tells_another_artwork_and_another_colour() -> None:
    art = logo()
    printed = on(SHIPPED[0], art)
    sound = print_fidelity(printed, art)
    mirrored = print_fidelity(printed, np.ascontiguousarray(art[:, ::-1]))
    tinted = art.copy()
    tinted[..., 1] = np.minimum(tinted[..., 1] + 25.0, 255).astype(np.uint8)
    assert mirrored["print_ssim"] < sound["print_ssim"] - 0.2
    assert print_fidelity(printed, tinted)["print_de00_median"] > 3


def test_the_same_again_is_the_same_bytes_and_colours_under_nothing_do_not_count() -> None:
    art = logo()
    first, second = on(SHIPPED[0], art), on(SHIPPED[0], art)
    dirty = art.copy()
    dirty[art[..., 3] == 0, :3] = (255, 0, 255)
    assert first.canvas.tobytes() == second.canvas.tobytes() == on(SHIPPED[0], dirty).canvas.tobytes()


@pytest.mark.parametrize("name", SHIPPED)
def test_what_is_not_printed_stays_as_it_is(name: str) -> None:
    red, blue = full_bleed(), full_bleed()
    red[..., :3], blue[..., :3] = (200, 30, 30), (30, 30, 200)
    one, other = on(name, red), on(name, blue)
    away = one.print_mask == 0
    assert away.any()
    assert np.array_equal(one.canvas[away], other.canvas[away])
    solid = one.print_mask > 250
    assert (one.canvas[solid][:, 0].astype(int) - other.canvas[solid][:, 0] > 20).mean() > 0.95


def test_resampling_leaves_what_is_beyond_the_source_empty() -> None:
    out = resample(np.ones((4, 4, 1), np.float32), 1.5, (0.25, 0.25), (120, 90))
    assert out[20:, 20:].max() == out[80, 110, 0] == 0
    assert out[2, 2, 0] == pytest.approx(1, abs=0.05)


@pytest.mark.parametrize("name", SHIPPED)
def test_what_is_finer_than_a_pixel_becomes_its_mean_light(name: str) -> None:
    fine, mean = (np.full((2400, 2400, 4), 255, np.uint8) for _ in range(2))
    fine[:, ::2, :3] = 0
    mean[..., :3] = to_srgb(np.full(1, 0.5, np.float32))
    striped, plain = (on(name, art).canvas.astype(int) for art in (fine, mean))
    assert np.abs(striped - plain).max() <= 3


def test_dpi_says_how_coarse_a_print_is() -> None:
    template = templates.named(SHIPPED[0])
    area = template.areas[0]
    printed = on(template.name, np.full((40, 30, 4), 255, np.uint8))
    scale = min(area.width_cm / 30, area.height_cm / 40)
    assert printed.measures["effective_dpi"] == pytest.approx(2.54 / scale)
    assert printed.measures["effective_dpi"] < 30


def test_placing_follows_scaling_alignment_and_padding() -> None:
    area = Area(name="a", map="m", left_cm=2, top_cm=1, width_cm=20, height_cm=10)

    def placed(**values: str) -> tuple[float, float, float, float]:
        return place((100, 100), area, ArtworkParameters.parse({"template": "t", **values})).box

    assert placed() == pytest.approx((7, 1, 10, 10))
    assert placed(horizontalAlignment="left") == pytest.approx((2, 1, 10, 10))
    assert placed(horizontalAlignment="right", padding="0.1") == pytest.approx((13, 2, 8, 8))
    assert placed(scaling="fill") == pytest.approx((2, 1, 20, 10))
    top = place((100, 100), area, ArtworkParameters(template="t", scaling="fill", vertical_alignment="top"))
    assert top.crop == (slice(0, 50), slice(0, 100))
    assert top.dpi == pytest.approx(100 / 20 * 2.54)


def test_coverage_is_the_share_of_the_area_that_is_printed() -> None:
    whole = on(SHIPPED[0], full_bleed(), scaling="fill")
    less = on(SHIPPED[0], full_bleed(), scaling="fill", padding="0.2")
    assert whole.measures["print_coverage"] == pytest.approx(1, abs=0.02)
    assert 0.1 < less.measures["print_coverage"] < 0.8


def test_product_and_background_take_other_colours() -> None:
    art = logo()
    plain, red = on("mug", art), on("mug", art, product__color="#C03028")
    product = (plain.mask == 255) & (plain.print_mask == 0)
    assert (red.canvas[product][:, 1] < 0.7 * plain.canvas[product][:, 1]).mean() > 0.95
    green = on("mug", art, background__color="#304838")
    ground = plain.mask == 0
    assert (plain.canvas[ground].mean(axis=0) - green.canvas[ground].mean(axis=0)).min() > 60
    same = on("mug", art, product__color=templates.named("mug").product.color)
    assert np.array_equal(same.canvas, plain.canvas)


def test_the_output_has_the_size_asked_for() -> None:
    assert on("mug", logo(), outputSize="480x500").canvas.shape == (500, 480, 3)
    for size, reason in (("200x900", "does not fit"), ("9000x9000", "twice")):
        with pytest.raises(BadParameters, match=reason) as failure:
            on("mug", logo(), outputSize=size)
        assert failure.value.field == "outputSize"


def test_bad_artwork_is_an_answer() -> None:
    with pytest.raises(BadArtwork, match="alpha"):
        on("mug", np.zeros((50, 50, 3), np.uint8))
    with pytest.raises(BadArtwork, match="transparent everywhere"):
        on("mug", np.zeros((50, 50, 4), np.uint8))


def test_bad_parameters_name_themselves() -> None:
    with pytest.raises(BadParameters, match="there are: front, wrap"):
        on("mug", logo(), area="bottom")
    for values, field in (({}, "template"), ({"template": "mug", "scaling": "stretch"}, "scaling")):
        with pytest.raises(BadParameters) as failure:
            ArtworkParameters.parse(values)
        assert failure.value.field == field


def test_an_unknown_template_lists_those_there_are() -> None:
    with pytest.raises(UnknownTemplate, match="mug"):
        templates.named("spaceship")


@pytest.fixture
def copied(tmp_path: Path) -> Path:
    return Path(shutil.copytree(templates.named("mug").folder, tmp_path / "mug"))


def changed(folder: Path, before: str, after: str) -> Template:
    file = folder / templates.FILE
    text = file.read_text()
    assert before in text
    file.write_text(text.replace(before, after))
    return templates.load(folder)


@pytest.mark.parametrize(
    ("before", "after", "reason"),
    [
        ("title:", "tilte:", "tilte"),
        ("name: mug", "name: cup", "'cup', not its folder's name"),
        ("plate.jpg", "../plate.jpg", "'../plate.jpg' is not in its folder"),
        ("plate.jpg", "none.jpg", "'none.jpg' is not in its folder"),
        ("wrap.png", "product.png", "3 bands of uint16"),
        ("map: wrap", "map: lid", "'lid', which is none of its maps"),
        ("width_cm: 8,", "width_cm: 80,", "reaches beyond its map"),
        ("#F4F2EE", "#101010", "too dark"),
        ("height_px: ", "height_px: 1", "not `size`"),
    ],
)
def test_a_bad_template_says_what_is_wrong(copied: Path, before: str, after: str, reason: str) -> None:
    with pytest.raises(BadTemplate, match=reason) as failure:
        templates.layers(changed(copied, before, after))
    assert "mug" in str(failure.value)


def test_a_map_that_shows_nothing_is_refused(copied: Path) -> None:
    shape = templates.layers(templates.load(copied)).maps["wrap"].shape
    assert cv2.imwrite(str(copied / "wrap.png"), np.zeros(shape, np.uint16))
    with pytest.raises(BadTemplate, match=r"mug: nothing .* 'wrap.png'"):
        templates.layers(changed(copied, "version: 1", "version: 2"))


@pytest.mark.parametrize("shape", [(1, 1), (1, 900), (7, 5)])
def test_the_smallest_artwork_and_output_are_printed(shape: tuple[int, int]) -> None:
    printed = on("mug", np.full((*shape, 4), 255, np.uint8), outputSize="12x12", scaling="fill")
    assert printed.print_mask.max() > 240
