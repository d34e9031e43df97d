"""What a cutout's signs of doubt mean: fits the weights of gpu_workers.operations.doubt, and says how well they do.

The sample catalogue's photographs and two composites of every product on every ground are cut out and held against the
truth. A logistic sum of the signs is fitted, its weights 0 or more, on two products of three, and made as cautious as
the gate needs it to be; the figures are also of the third, which the fit has not seen. The last line is JSON: the
weights to be put into doubt.py, and the figures.
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
from gpu_workers.operations import cutout, doubt
from loadtest import quality
from loadtest.cutout_pictures import composites, photographs
from streams.processors.judging import UNCERTAINTY_MAX

WEIGHTS = Path(__file__).parents[1] / ".cache" / "weights"
SEEDS = (1, 2)
HELD_EVERY = 3
GOOD_OF_PASSED_MIN = 0.96
_RIDGE = 0.02
_STEPS = 20_000

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Case:
    """The signs that a cutout of a product showed, and whether it was good."""

    name: str
    product: str
    signs: Mapping[str, float]
    is_good: bool


def main() -> None:
    """Prints each case, and the weights and figures as JSON in the last line."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(40))
    found = list(cases())
    products = sorted({case.product for case in found})
    held = set(products[::HELD_EVERY])
    shown = [case for case in found if case.product not in held]
    bias, weights = fitted(shown)
    while judged(shown, bias, weights)["good_of_passed"] < GOOD_OF_PASSED_MIN:
        bias = round(bias + 0.05, 2)
    figures: dict[str, float] = {}
    for name, those in (("fitted", shown), ("held", [case for case in found if case.product in held])):
        figures |= {f"{name}_{key}": value for key, value in judged(those, bias, weights).items()}
    print(json.dumps({"bias": bias, "weights": weights, "figures": figures, "held": sorted(held)}))


def cases() -> Iterator[Case]:
    """Every picture, cut out."""
    model = load_manifest("u2netp@1")
    engine = open_engine(model, WEIGHTS, "openvino")
    look = quality.look(model, engine.infer)
    for sample in chain(photographs(), *map(composites, SEEDS)):
        made = cutout.cutout(sample.rgb, look)
        found = quality.alpha(cutout.eight_bit(made.rgba[..., 3]))
        signs = signs_of(made.measures)
        case = Case(sample.name, sample.product, signs, quality.is_good(found, sample.alpha.astype(np.float64)))
        print(f"{case.name}: {'good' if case.is_good else 'BAD'}", file=sys.stderr, flush=True)
        yield case
    engine.close()


def signs_of(measures: Mapping[str, float]) -> dict[str, float]:
    """The signs in what was measured of a cutout."""
    known = {
        **measures,
        "disagreement": 1 - measures["agreement"],
        "look_through": min(1.0, measures["look_through_share"]),
        "left_out": min(1.0, 10 * measures["left_out_share"]),
    }
    return {name: known[name] for name in doubt.WEIGHTS}


def fitted(those: Sequence[Case]) -> tuple[float, dict[str, float]]:
    """Bias and weights of least loss with a ridge, by projected gradient descent: no weight under 0."""
    signs, bad = _arrays(those)
    scale = signs.std(axis=0) + 1e-6
    inputs = signs / scale
    bias, weights = 0.0, np.zeros(len(scale))
    for _ in range(_STEPS):
        off = _likelihood(inputs, bias, weights) - bad
        bias -= 0.2 * float(off.mean())
        weights = np.maximum(weights - 0.2 * (inputs.T @ off / len(bad) + _RIDGE * weights), 0)
    return round(bias, 2), {
        name: round(float(weight), 2) for name, weight in zip(doubt.WEIGHTS, weights / scale, strict=True)
    }


def judged(those: Sequence[Case], bias: float, weights: Mapping[str, float]) -> dict[str, float]:
    """How many are good, how many pass the gate, and how many of these are good."""
    signs, bad = _arrays(those)
    passed = _likelihood(signs, bias, np.array([weights[name] for name in doubt.WEIGHTS])) <= UNCERTAINTY_MAX
    return {
        "count": len(those),
        "good_share": round(float(1 - bad.mean()), 3),
        "passed": int(passed.sum()),
        "good_of_passed": round(float(1 - bad[passed].mean()), 3) if passed.any() else 0.0,
        "passed_of_good": round(float(passed[bad == 0].mean()), 3),
    }


def _arrays(those: Sequence[Case]) -> tuple[Array, Array]:
    signs = np.array([[case.signs[name] for name in doubt.WEIGHTS] for case in those])
    return signs, np.array([float(not case.is_good) for case in those])


def _likelihood(signs: Array, bias: float, weights: Array) -> Array:
    return np.asarray(1 / (1 + np.exp(-bias - signs @ weights)))


if __name__ == "__main__":
    main()
