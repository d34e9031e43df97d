import numpy as np
import pytest

from gpu_workers.operations import doubt
from loadtest.calibrate_cutout import Case, fitted, judged


def case(sign: str, value: float, is_good: bool) -> Case:
    return Case("", "", dict.fromkeys(doubt.WEIGHTS, 0.0) | {sign: value}, is_good)


def test_a_sign_that_tells_gets_weight_and_one_that_does_not_gets_none() -> None:
    random = np.random.default_rng(1)
    those = [case("ragged", value, is_good=value < 0.5) for value in random.uniform(0, 1, 200)]
    those += [case("moved", value, is_good=True) for value in random.uniform(0, 1, 50)]
    bias, weights = fitted(those)
    assert weights["ragged"] > 2
    assert weights["moved"] == 0
    assert bias < 0


def test_figures_are_of_what_passes() -> None:
    weights = dict.fromkeys(doubt.WEIGHTS, 0.0) | {"ragged": 10.0}
    those = [case("ragged", 0.0, True), case("ragged", 0.0, False), case("ragged", 1.0, True)]
    figures = judged(those, -4.0, weights)
    assert figures["passed"] == 2
    assert figures["good_of_passed"] == 0.5
    assert figures["passed_of_good"] == 0.5


def test_more_signs_are_more_doubt() -> None:
    none = dict.fromkeys(doubt.WEIGHTS, 0.0)
    before = doubt.uncertainty(none)
    assert 0 < before < 0.25
    for sign, weight in doubt.WEIGHTS.items():
        after = doubt.uncertainty(none | {sign: 0.5})
        assert after > before if weight else after == pytest.approx(before)
