import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from gpu_workers.imaging.lut import preset, write_cube
from gpu_workers.library import brands
from gpu_workers.library.brands import BadBrand, BrandProfile
from gpu_workers.operations.style import surroundings
from gpu_workers.operations.style.brand_learning import BadExample, TooFewExamples, learn, learn_from_files
from gpu_workers.operations.style.surroundings import NoSurroundings, see
from schemas.operations.packshot import PackshotParameters
from tests.gpu_workers.pictures import example, in_room, on_ground

PADDINGS = np.linspace(0.13, 0.17, 6)


@pytest.fixture(scope="module")
def house() -> BrandProfile:
    shots = [on_ground(padding=padding) for padding in PADDINGS]
    return learn("house", [example(*picture) for picture in [*shots, *(in_room(seed) for seed in range(20))]])


def test_a_profile_says_what_the_pictures_were_made_with(house: BrandProfile) -> None:
    assert house.learned_from.count == 26
    assert house.background == "#E7DFD0"
    assert house.shadow is not None
    assert house.shadow.mode == "soft"
    assert 0.1 < house.shadow.strength < 0.7
    assert house.fill == pytest.approx(0.7, abs=0.02)
    assert house.plain is not None
    assert house.scene is not None
    assert (house.plain.count, house.scene.count) == (6, 20)
    assert sum(swatch.share for swatch in house.palette) == pytest.approx(1, abs=0.01)


@pytest.mark.parametrize("mode", ["none", "contact", "soft"])
def test_the_shadow_is_recognised(mode: str) -> None:
    pictures = [on_ground(shadow=mode, padding=padding) for padding in np.linspace(0.12, 0.2, 10)]
    shadow = learn("house", [example(*picture) for picture in pictures]).shadow
    assert shadow is not None
    assert shadow.mode == mode


def test_defaults_are_parameters_of_a_packshot(house: BrandProfile) -> None:
    found = PackshotParameters.parse(brands.defaults(house))
    assert found.background_color == "#E7DFD0"
    assert found.shadow_mode == "soft"
    assert found.padding == pytest.approx(0.15, abs=0.01)


def test_the_order_of_the_examples_does_not_matter() -> None:
    pictures = [example(*in_room(seed)) for seed in range(10)]
    assert learn("house", pictures) == learn("house", pictures[::-1])


def test_nine_pictures_are_too_few() -> None:
    with pytest.raises(TooFewExamples, match="9 examples"):
        learn("house", [example(*in_room(seed)) for seed in range(9)])


def test_a_picture_full_of_product_shows_no_style() -> None:
    with pytest.raises(NoSurroundings):
        see(np.zeros((90, 90, 3), np.uint8), np.full((90, 90), 255, np.uint8))


def test_a_file_is_read_as_it_was_written(house: BrandProfile, tmp_path: Path) -> None:
    file = tmp_path / "house.yaml"
    file.write_text(brands.dump(house))
    found = brands.load(file)
    assert brands.dump(found) == brands.dump(house)
    assert found.folder == tmp_path


def test_files_are_learned_from_by_their_alpha_or_a_cutout(tmp_path: Path) -> None:
    for n, padding in enumerate(np.linspace(0.12, 0.2, 10)):
        rgb, mask = on_ground(padding=padding)
        Image.fromarray(np.dstack([rgb, mask])).save(tmp_path / f"{n}.png")

    profile = learn_from_files("house", sorted(tmp_path.glob("*.png")), _no_network)
    assert profile.background == "#FFFFFF"
    assert len(set(profile.learned_from.digests)) == 10


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda file: file.unlink(), r"3\.png: No such file"),
        (lambda file: file.write_text("no picture"), r"3\.png: no picture that we read"),
        (lambda file: _almost_filled().save(file), r"3\.png: the product fills the picture"),
        (
            lambda file: file.write_bytes((file.parent / "1.png").read_bytes()),
            r"3\.png is the same picture as .*1\.png",
        ),
    ],
)
def test_a_file_that_is_no_example_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, change: Callable[[Path], object], message: str
) -> None:
    monkeypatch.setattr(surroundings, "_LEAST_SHARE", 0.1)  # one with less has no alpha to speak of, and asks a network
    paths = [tmp_path / f"{n}.png" for n in range(10)]
    for n, path in enumerate(paths):
        Image.fromarray(np.dstack(on_ground(padding=0.12 + n / 100))).save(path)
    change(paths[3])
    with pytest.raises(BadExample, match=message):
        learn_from_files("house", paths, _no_network)


def test_too_few_files_are_reported_before_any_is_read(tmp_path: Path) -> None:
    with pytest.raises(TooFewExamples, match="9 examples"):
        learn_from_files("house", [tmp_path / "nothing.png"] * 9, _no_network)


def _almost_filled() -> Image.Image:
    picture = Image.new("RGBA", (90, 90), "red")
    picture.paste((0, 0, 0, 0), (0, 0, 4, 90))
    return picture


def _no_network(_: object) -> np.ndarray:
    raise AssertionError("a picture with alpha needs no network")


@pytest.mark.parametrize("name", ["cool-studio", "earthy", "warm-minimal"])
def test_the_brands_that_ship_are_sound(name: str) -> None:
    brand = brands.load(brands.find(brands.shipped_folder())[name])
    PackshotParameters.parse(brands.defaults(brand))
    assert brand.plain is not None
    assert brand.scene is not None


def test_a_users_brand_stands_in_for_ours(tmp_path: Path) -> None:
    (tmp_path / "earthy.yaml").write_text("")
    assert brands.find(brands.shipped_folder(), tmp_path)["earthy"] == tmp_path / "earthy.yaml"


def test_a_look_is_a_preset_or_a_file_beside_the_brand(house: BrandProfile, tmp_path: Path) -> None:
    text = brands.dump(house)
    (tmp_path / "own.cube").write_text(write_cube(preset("warm")))
    (tmp_path / "bad.cube").write_text("LUT_3D_SIZE 2\n")
    file = tmp_path / "house.yaml"
    tables = []
    for look in ("warm", "own.cube"):
        file.write_text(text.replace("lut: null", f"lut: {look}"))
        found = brands.load(file).look()
        assert found is not None
        tables.append(found.table)
    assert np.abs(tables[0] - tables[1]).max() < 1e-6
    file.write_text(text.replace("lut: null", "lut: bad.cube"))
    with pytest.raises(BadBrand, match=r"bad\.cube.*0 colours"):
        brands.load(file).look()


FAULTS: list[tuple[Callable[[str], str], str]] = [
    (lambda text: text.replace("version: 1", "version: 0"), r"version"),
    (lambda text: text.replace("name: house", "name: other"), r"`name`"),
    (lambda text: text.replace("background: '#E7DFD0'", "background: beige"), r"background"),
    (lambda text: text.replace("mode: soft", "mode: loud"), r"shadow\.mode"),
    (lambda text: text.replace("lut: null", "lut: gone.cube"), r"gone\.cube"),
    (lambda text: text.replace("lut: null", "lut: ../house.yaml"), r"lut"),
    (lambda text: text.replace("count: 26", "count: 12"), r"learned_from"),
    (lambda text: text.replace("fill:", "fills:"), r"fills"),
    (lambda text: re.sub(r"covariance:\n  - \[", "covariance:\n  - [-9", text, count=1), r"covariance"),
    (lambda text: text.replace("palette:", "palette: []\nold:"), r"palette|old"),
    (lambda text: text + "}", r"parsing"),
]


@pytest.mark.parametrize(("spoil", "fault"), FAULTS)
def test_what_is_wrong_with_a_file_is_named(
    house: BrandProfile, tmp_path: Path, spoil: Callable[[str], str], fault: str
) -> None:
    text = brands.dump(house)
    file = tmp_path / "house.yaml"
    file.write_text(spoil(text))
    assert file.read_text() != text
    with pytest.raises(BadBrand, match=rf"(?s)house\.yaml.*({fault})"):
        brands.load(file)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(BadBrand, match=r"gone\.yaml"):
        brands.load(tmp_path / "gone.yaml")
