import numpy as np
import pytest

from gpu_workers.models.contract import mask_of, tensor_of
from gpu_workers.models.manifest import Input, Output, load_manifest

PLAIN = Input((3, 8, 16), (0.0, 0.0, 0.0), (1.0, 1.0, 1.0))
MASK = Output("mask", (1, 2, 3))


def test_the_published_networks_input_is_normalised_to_its_brightest_value() -> None:
    tensor = tensor_of(np.full((10, 20, 3), 128, np.uint8), load_manifest("u2netp@1").input)
    assert tensor.shape == (3, 320, 320)
    assert tensor.dtype == np.float32
    expected = [(1 - 0.485) / 0.229, (1 - 0.456) / 0.224, (1 - 0.406) / 0.225]
    np.testing.assert_allclose(tensor[:, 0, 0], expected, rtol=1e-5)


def test_a_full_white_is_that_of_the_type() -> None:
    tensor = tensor_of(np.full((10, 20, 3), 128, np.uint8), PLAIN)
    assert tensor.shape == (3, 8, 16)
    np.testing.assert_allclose(tensor, 128 / 255, rtol=1e-6)


def test_a_black_picture_has_an_input_too() -> None:
    assert np.isfinite(tensor_of(np.zeros((9, 9, 3), np.uint8), load_manifest("u2netp@1").input)).all()


@pytest.mark.parametrize(
    ("output", "expected"),
    [
        (MASK, [[0, 0, 0.25], [0.5, 1, 1]]),
        (Output("mask", (1, 2, 3), activation="sigmoid"), [[0.1192, 0.5, 0.5622], [0.6225, 0.7311, 1]]),
        (Output("mask", (1, 2, 3), stretch=True), [[0, 0.02, 0.0225], [0.025, 0.03, 1]]),
    ],
    ids=["as it is", "logits", "stretched"],
)
def test_an_answer_becomes_a_mask(output: Output, expected: list[list[float]]) -> None:
    answer = np.array([-2, 0, 0.25, 0.5, 1, 98], np.float32).reshape(1, 2, 3)
    mask = mask_of(answer, output)
    assert mask.dtype == np.float32
    np.testing.assert_allclose(mask, expected, atol=1e-4)


def test_a_flat_answer_can_be_stretched() -> None:
    assert np.isfinite(mask_of(np.full((1, 2, 3), 7, np.float32), Output("mask", (1, 2, 3), stretch=True))).all()
