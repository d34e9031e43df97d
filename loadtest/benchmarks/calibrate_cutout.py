"""Fits the weights of operations.cutout.uncertainty to what a cutout's features say, and says how well they do.

The sample catalogue's photographs and two composites of every product on every ground are cut out and held against the
truth. A logistic sum of the features is fitted, its weights 0 or more, on two products of three, and made as cautious
as the gate needs it to be; the figures are also of the third, which the fit has not seen. The last line is JSON: the
weights to be put into uncertainty.py, and the figures.
"""

import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

import numpy as np
import structlog
from numpy.typing import NDArray

from gpu_workers.engines import open_engine
from gpu_workers.models.manifest import load_manifest
from gpu_workers.operations.cutout import cutout, uncertainty
from loadtest.benchmarks import quality
from loadtest.benchmarks.cutout_pictures import composites, photographs
from streams.flow.gates.edges import UNCERTAINTY_MAX

WEIGHTS = Path(__file__).parents[2] / ".cache" / "weights"
SEEDS = (1, 2)
HELD_EVERY = 3
GOOD_OF_PASSED_MIN = 0.96
PRIOR = 3.0
_RIDGE = 0.02
_STEPS = 20_000

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Case:
    """The features of a cutout of a product, and whether it was good."""

    name: str
    product: str
    features: Mapping[str, float]
    is_good: bool


def main() -> None:
    """Prints each case, and the weights and figures as JSON in the last line."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(40))
    found = list(cases())
    products = sorted({case.product for case in found})
    held = set(products[::HELD_EVERY])
    shown = [case for case in found if case.product not in held]
    bias, weights = fitted(shown)
    bias = cautious(shown, bias, weights)
    figures: dict[str, float] = {}
    for name, those in (("fitted", shown), ("held", [case for case in found if case.product in held])):
        figures |= {f"{name}_{key}": value for key, value in judged(those, bias, weights).items()}
    print(json.dumps({"bias": bias, "weights": weights, "figures": figures, "held": sorted(held)}))


def cases() -> Iterator[Case]:
    """Every picture, cut out."""
    model = load_manifest("u2netp@1")
    engine = open_engine(model, WEIGHTS, "openvino")
    predict = quality.predict(model, engine.infer)
    for sample in chain(photographs(), *map(composites, SEEDS)):
        try:
            made = cutout.cutout(sample.rgb, predict)
        except cutout.NoSubject:
            continue
        found = quality.alpha(cutout.eight_bit(made.rgba[..., 3]))
        features = uncertainty.features(made.measures)
        case = Case(sample.name, sample.product, features, quality.is_good(found, sample.alpha.astype(np.float64)))
        print(f"{case.name}: {'good' if case.is_good else 'BAD'}", file=sys.stderr, flush=True)
        yield case
    engine.close()


def fitted(those: Sequence[Case]) -> tuple[float, dict[str, float]]:
    """Bias and weights of least loss, by projected gradient descent: no weight under 0.

    A ridge about PRIOR keeps a sign that none of those shows from meaning nothing: they are few, and products many.
    """
    features, bad = _arrays(those)
    scale = features.std(axis=0) + 1e-6
    inputs = features / scale
    bias, weights = 0.0, np.zeros(len(scale))
    for _ in range(_STEPS):
        off = _likelihood(inputs, bias, weights) - bad
        bias -= 0.2 * float(off.mean())
        weights = np.maximum(weights - 0.2 * (inputs.T @ off / len(bad) + _RIDGE * (weights - PRIOR * scale)), 0)
    return round(bias, 2), {
        name: round(float(weight), 2) for name, weight in zip(uncertainty.WEIGHTS, weights / scale, strict=True)
    }


def cautious(those: Sequence[Case], bias: float, weights: Mapping[str, float]) -> float:
    """The bias, this or a higher one, with which the gate passes most of those and enough of them are good."""
    features, bad = _arrays(those)
    scores = features @ np.array([weights[name] for name in uncertainty.WEIGHTS])
    order = np.argsort(scores)
    good_shares = 1 - np.cumsum(bad[order]) / np.arange(1, len(bad) + 1)
    passing = np.flatnonzero(good_shares >= GOOD_OF_PASSED_MIN)
    assert len(passing), "the surest pictures are not good: the features say nothing"
    gate = np.log(UNCERTAINTY_MAX / (1 - UNCERTAINTY_MAX))
    # Rounded up, so that the last of them may be left out but no other let in.
    return max(bias, float(np.ceil(100 * (gate - scores[order][passing[-1]]) - 1e-9)) / 100)


def judged(those: Sequence[Case], bias: float, weights: Mapping[str, float]) -> dict[str, float]:
    """How many are good, how many pass the gate, and how many of these are good."""
    features, bad = _arrays(those)
    passed = _likelihood(features, bias, np.array([weights[name] for name in uncertainty.WEIGHTS])) <= UNCERTAINTY_MAX
    return {
        "count": len(those),
        "good_share": round(float(1 - bad.mean()), 3),
        "passed": int(passed.sum()),
        "good_of_passed": round(float(1 - bad[passed].mean()), 3) if passed.any() else 0.0,
        "passed_of_good": round(float(passed[bad == 0].mean()), 3),
    }


def _arrays(those: Sequence[Case]) -> tuple[Array, Array]:
    features = np.array([[case.features[name] for name in uncertainty.WEIGHTS] for case in those])
    return features, np.array([float(not case.is_good) for case in those])


def _likelihood(features: Array, bias: float, weights: Array) -> Array:
    return np.asarray(1 / (1 + np.exp(-bias - features @ weights)))


if __name__ == "__main__":
    main()
