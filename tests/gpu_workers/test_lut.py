import numpy as np
import pytest
from PIL import Image, ImageFilter

from gpu_workers.imaging.lut import PRESETS, BadLut, Lut, identity, preset, read_cube, write_cube

NOISE = np.random.default_rng(5).integers(0, 256, (60, 80, 3), np.uint8)
ALL = np.ones((60, 80), np.float32)


@pytest.mark.parametrize("canvas", [NOISE, NOISE.astype(np.uint16) * 257 + 3])
def test_a_table_that_changes_nothing_changes_nothing(canvas: np.ndarray) -> None:
    assert np.array_equal(Lut(identity()).applied(canvas, ALL), canvas)


def test_a_linear_table_is_looked_up_exactly_between_its_colours() -> None:
    """What is linear in a cell is what every way of mixing its corners gives."""
    colours = np.random.default_rng(6).random((500, 3)).astype(np.float32)
    mix = np.array([[0.6, 0.3, 0.1], [0.2, 0.7, 0.1], [0.0, 0.3, 0.7]], np.float32)
    assert np.abs(Lut(identity(9) @ mix.T).of(colours) - colours @ mix.T).max() < 1e-6


def test_it_says_what_pillow_says_to_within_a_code_value() -> None:
    lut = preset("earthy")
    theirs = Image.fromarray(NOISE).filter(ImageFilter.Color3DLUT(33, lut.table.transpose(2, 1, 0, 3).reshape(-1)))
    assert np.abs(lut.applied(NOISE, ALL).astype(int) - np.asarray(theirs)).max() <= 1


def test_weights_mix_and_nothing_is_touched_at_nought() -> None:
    half = np.full((60, 80), 0.5, np.float32)
    half[:30] = 0
    lut = preset("cool")
    mixed, whole = lut.applied(NOISE, half), lut.applied(NOISE, ALL)
    assert np.array_equal(mixed[:30], NOISE[:30])
    middle = (NOISE[30:].astype(np.float32) + whole[30:]) / 2
    assert np.abs(mixed[30:] - middle).max() <= 1


def test_both_depths_agree() -> None:
    lut = preset("warm")
    deep = lut.applied(NOISE.astype(np.uint16) * 257, ALL)
    assert np.abs(lut.applied(NOISE, ALL) - deep / 257).max() <= 0.51


@pytest.mark.parametrize("name", PRESETS)
def test_looks_keep_the_order_of_greys(name: str) -> None:
    greys = np.repeat(np.linspace(0, 1, 64, dtype=np.float32)[:, None], 3, axis=1)
    assert (np.diff(preset(name).of(greys).mean(axis=1)) > 0).all()


def test_a_cube_file_is_read_as_it_was_written() -> None:
    lut = Lut(preset("matte").table[::8, ::8, ::8].copy(), "Matte, five")
    found = read_cube(write_cube(lut))
    assert found.title == "Matte, five"
    assert np.abs(found.table - lut.table).max() < 1e-6


def test_red_runs_fastest_and_comments_are_passed_over() -> None:
    corners = ["0 0 0", "0.9 0 0", "0 0.8 0", "0.9 0.8 0", "0 0 0.7", "0.9 0 0.7", "0 0.8 0.7", "0.9 0.8 0.7"]
    lut = read_cube('# a look\nTITLE "x"\nLUT_3D_SIZE 2\n\n' + "\n".join(corners))
    assert lut.table[1, 0, 0] == pytest.approx((0.9, 0, 0))
    assert lut.table[0, 1, 1] == pytest.approx((0, 0.8, 0.7))


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("0 0 0\n" * 8, "LUT_3D_SIZE"),
        ("LUT_3D_SIZE 2\n" + "0 0 0\n" * 7, "7 colours"),
        ("LUT_3D_SIZE 2\n" + "0 0 0\n" * 4 + "0 0\n" + "0 0 0\n" * 3, "line 6"),
        ("LUT_3D_SIZE 2\n0 0 nan\n", "line 2"),
        ("LUT_3D_SIZE 500\n", "line 1"),
        ("LUT_1D_SIZE 2\n0 0 0\n", "line 1"),
        ("LUT_3D_SIZE 2\nDOMAIN_MAX 2 2 2\n", "line 2"),
    ],
)
def test_what_is_no_cube_file_is_named(text: str, fault: str) -> None:
    with pytest.raises(BadLut, match=fault):
        read_cube(text)


def test_an_unknown_look_is_named_beside_those_there_are() -> None:
    with pytest.raises(BadLut, match=r"'neon'.*warm"):
        preset("neon")
