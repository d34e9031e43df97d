"""The compiled solvers give the bits of the reference implementation, pymatting's."""

import sys
from concurrent.futures import ThreadPoolExecutor
from importlib.util import find_spec, module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from gpu_workers.operations.cutout import foreground, matting, shared_matting
from gpu_workers.sources.decoding import decode

CATALOGUE = Path(__file__).parents[2] / "loadtest" / "rendering" / "catalogue"
PHOTOGRAPH = CATALOGUE / "photographs" / "MUG-STONE-350-busy.jpg"
Plane = NDArray[np.float32]


def reference(name: str) -> Any:
    """A module of pymatting by itself: importing the package compiles every solver there is."""
    package = find_spec("pymatting")
    assert package is not None
    assert package.origin is not None
    file = Path(package.origin).parent.joinpath(*name.split(".")).with_suffix(".py")
    spec = spec_from_file_location(f"pymatting.{name}", file)
    assert spec is not None
    assert spec.loader is not None
    loaded = sys.modules[spec.name] = module_from_spec(spec)  # numba's cache asks for it by its name
    spec.loader.exec_module(loaded)
    return loaded


@pytest.fixture(scope="module")
def photograph() -> Plane:
    return decode(PHOTOGRAPH.read_bytes()).pixels[380:540, 290:470].astype(np.float32) / np.float32(255)


@pytest.fixture(scope="module")
def known(photograph: Plane) -> Plane:
    """Product in the middle, background outside, a wide unknown ring with a bite out of it that reaches the frame."""
    height, width = photograph.shape[:2]
    y, x = np.mgrid[:height, :width]
    away = np.hypot(y - height / 2, x - width / 2)
    known = matting.trimap(np.clip((55 - away) / 15, 0, 1).astype(np.float32), 4)
    known[50:70, :30] = 0.5
    return known


def test_alpha_and_the_colours_are_the_reference_s(photograph: Plane, known: Plane) -> None:
    estimate = reference("alpha.estimate_alpha_sm").estimate_alpha_sm
    for ours, theirs in zip(
        shared_matting.estimate_alpha(photograph, known),
        estimate(photograph, known, return_foreground_background=True),
        strict=True,
    ):
        np.testing.assert_array_equal(ours, theirs)


def test_the_product_s_colours_are_the_reference_s(photograph: Plane, known: Plane) -> None:
    estimate = reference("foreground.estimate_foreground_ml").estimate_foreground_ml
    np.testing.assert_array_equal(foreground.estimate_foreground(photograph, known), estimate(photograph, known))


def test_many_threads_may_solve_at_once(photograph: Plane, known: Plane) -> None:
    alone = shared_matting.estimate_alpha(photograph, known)[0]
    with ThreadPoolExecutor(4) as pool:
        for alpha, _, _ in pool.map(lambda _: shared_matting.estimate_alpha(photograph, known), range(8)):
            np.testing.assert_array_equal(alpha, alone)
