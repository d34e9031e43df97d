import numpy as np
import pytest

from gpu_workers.imaging.colour_difference import ciede2000, lab_to_srgb, srgb_to_lab

# The 34 pairs that G. Sharma, W. Wu and E. N. Dalal published for checking implementations.
BLUE, GREY, RED = (50.0, 0.0, -82.7485), (50.0, 0.0, 0.0), (50.0, 2.5, 0.0)
PAIRS = [
    ((50.0, 2.6772, -79.7751), BLUE, 2.0425),
    ((50.0, 3.1571, -77.2803), BLUE, 2.8615),
    ((50.0, 2.8361, -74.0200), BLUE, 3.4412),
    ((50.0, -1.3802, -84.2814), BLUE, 1.0000),
    ((50.0, -1.1848, -84.8006), BLUE, 1.0000),
    ((50.0, -0.9009, -85.5211), BLUE, 1.0000),
    (GREY, (50.0, -1.0, 2.0), 2.3669),
    ((50.0, -1.0, 2.0), GREY, 2.3669),
    ((50.0, 2.49, -0.001), (50.0, -2.49, 0.0009), 7.1792),
    ((50.0, 2.49, -0.001), (50.0, -2.49, 0.0010), 7.1792),
    ((50.0, 2.49, -0.001), (50.0, -2.49, 0.0011), 7.2195),
    ((50.0, 2.49, -0.001), (50.0, -2.49, 0.0012), 7.2195),
    ((50.0, -0.001, 2.49), (50.0, 0.0009, -2.49), 4.8045),
    ((50.0, -0.001, 2.49), (50.0, 0.0010, -2.49), 4.8045),
    ((50.0, -0.001, 2.49), (50.0, 0.0011, -2.49), 4.7461),
    (RED, (50.0, 0.0, -2.5), 4.3065),
    (RED, (73.0, 25.0, -18.0), 27.1492),
    (RED, (61.0, -5.0, 29.0), 22.8977),
    (RED, (56.0, -27.0, -3.0), 31.9030),
    (RED, (58.0, 24.0, 15.0), 19.4535),
    (RED, (50.0, 3.1736, 0.5854), 1.0000),
    (RED, (50.0, 3.2972, 0.0), 1.0000),
    (RED, (50.0, 1.8634, 0.5757), 1.0000),
    (RED, (50.0, 3.2592, 0.3350), 1.0000),
    ((60.2574, -34.0099, 36.2677), (60.4626, -34.1751, 39.4387), 1.2644),
    ((63.0109, -31.0961, -5.8663), (62.8187, -29.7946, -4.0864), 1.2630),
    ((61.2901, 3.7196, -5.3901), (61.4292, 2.2480, -4.9620), 1.8731),
    ((35.0831, -44.1164, 3.7933), (35.0232, -40.0716, 1.5901), 1.8645),
    ((22.7233, 20.0904, -46.6940), (23.0331, 14.9730, -42.5619), 2.0373),
    ((36.4612, 47.8580, 18.3852), (36.2715, 50.5065, 21.2231), 1.4146),
    ((90.8027, -2.0831, 1.4410), (91.1528, -1.6435, 0.0447), 1.4441),
    ((90.9257, -0.5406, -0.9208), (88.6381, -0.8985, -0.7239), 1.5381),
    ((6.7747, -0.2908, -2.4247), (5.8714, -0.0985, -2.2286), 0.6377),
    ((2.0776, 0.0795, -1.1350), (0.9033, -0.0636, -0.5514), 0.9082),
]


@pytest.mark.parametrize(("first", "second", "difference"), PAIRS)
def test_sharmas_pairs(
    first: tuple[float, float, float], second: tuple[float, float, float], difference: float
) -> None:
    assert ciede2000(np.array(first), np.array(second)) == pytest.approx(difference, abs=5e-5)
    assert ciede2000(np.array(second), np.array(first)) == pytest.approx(difference, abs=5e-5)


def test_whole_pictures_differ_as_their_pixels_do() -> None:
    first, second, expected = (np.array(values) for values in zip(*PAIRS, strict=True))
    found = ciede2000(*(lab.reshape(2, 17, 3).astype(np.float32) for lab in (first, second)))
    assert found.shape == (2, 17)
    assert found.dtype == np.float32
    assert (
        np.abs(found - expected.reshape(2, 17)).max() < 0.06
    )  # pairs 9 to 15 lie on the formula's leap, 4.7461 to 4.8045


@pytest.mark.parametrize(
    ("code", "lab"),
    [
        ((255, 255, 255), (100.0, 0.0, 0.0)),
        ((0, 0, 0), (0.0, 0.0, 0.0)),
        ((119, 119, 119), (50.034, 0.0, 0.0)),
        ((255, 0, 0), (53.241, 80.092, 67.203)),
        ((0, 0, 255), (32.297, 79.188, -107.860)),
    ],
)
def test_lab_of_known_colours_at_every_depth(code: tuple[int, int, int], lab: tuple[float, float, float]) -> None:
    eight = np.array([[code]], np.uint8)
    for picture in (eight, eight.astype(np.uint16) * 257, eight / 255.0):
        assert srgb_to_lab(picture)[0, 0] == pytest.approx(lab, abs=0.02)


def test_lab_and_back_is_the_same_code_value() -> None:
    steps = np.arange(0, 256, 15, dtype=np.uint8)
    codes = np.stack(np.meshgrid(steps, steps, steps), axis=-1)
    assert np.array_equal(np.rint(lab_to_srgb(srgb_to_lab(codes)) * 255).astype(np.uint8), codes)
