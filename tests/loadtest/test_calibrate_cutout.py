import numpy as np
import pytest

from gpu_workers.operations.cutout import uncertainty
from loadtest.benchmarks.calibrate_cutout import GOOD_OF_PASSED_MIN, PRIOR, Case, cautious, fitted, judged

FLAWLESS = dict.fromkeys(uncertainty.SEEN, 0.0) | {
    "agreement": 1.0,
    "left_out_share": 0.0,
    "see_through_share": 0.0,
    "plain_background": 1.0,
}


def case(sign: str, value: float, is_good: bool) -> Case:
    return Case("", "", dict.fromkeys(uncertainty.WEIGHTS, 0.0) | {sign: value}, is_good)


def test_a_sign_that_tells_weighs_more_than_one_that_does_not_or_is_never_shown() -> None:
    random = np.random.default_rng(1)
    those = [case("ragged", value, is_good=value < 0.5) for value in random.uniform(0, 1, 200)]
    those += [case("faint_edge", value, is_good=True) for value in random.uniform(0, 1, 200)]
    _, weights = fitted(those)
    assert weights["faint_edge"] < 0.5 * PRIOR
    assert weights["ragged"] > 2 * PRIOR
    assert weights["left_out"] == pytest.approx(PRIOR, rel=0.05)


def test_figures_are_of_what_passes() -> None:
    weights = dict.fromkeys(uncertainty.WEIGHTS, 0.0) | {"ragged": 10.0}
    those = [case("ragged", 0.0, True), case("ragged", 0.0, False), case("ragged", 1.0, True)]
    figures = judged(those, -4.0, weights)
    assert figures["passed"] == 2
    assert figures["good_of_passed"] == 0.5
    assert figures["passed_of_good"] == 0.5


def test_the_gate_closes_until_enough_of_what_passes_is_good() -> None:
    weights = dict.fromkeys(uncertainty.WEIGHTS, 0.0) | {"ragged": 10.0}
    those = [case("ragged", value, is_good=value < 0.3) for value in np.linspace(0, 0.6, 61)]
    assert judged(those, -5.0, weights)["good_of_passed"] < 0.8
    figures = judged(those, cautious(those, -5.0, weights), weights)
    assert figures["good_of_passed"] >= GOOD_OF_PASSED_MIN
    assert figures["passed_of_good"] > 0.95


def test_a_gate_that_is_shut_enough_stays() -> None:
    assert cautious([case("ragged", 0.0, True)], -1.0, dict.fromkeys(uncertainty.WEIGHTS, 3.0)) == -1.0


@pytest.mark.parametrize(
    "worse",
    [
        *({name: 0.5} for name in uncertainty.SEEN),
        {"agreement": 0.5},
        {"left_out_share": 0.05},
        {"see_through_share": 0.5},
    ],
    ids=str,
)
def test_more_signs_are_more_doubt(worse: dict[str, float]) -> None:
    before = uncertainty.uncertainty(FLAWLESS)
    assert 0 < before < 0.25
    assert uncertainty.uncertainty(FLAWLESS | worse) > before
