"""Learning from people: what speaks how much against a cutout, which are the weights of its uncertainty.

They are fitted on one half of the labels, near the weights that are at work, for decisions are few and products many;
what they would have done is told of the other half. They belong to the workers' code, whose results they decide on:
a proposal is printed, and counts with the workers that have it.
"""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from gpu_workers.operations.cutout import uncertainty
from schemas.channels.rulebook import parse
from schemas.decoding import prepare
from streams.facts import Database
from streams.flow.gates.edges import UNCERTAINTY_MAX
from streams.runtime.errors import Refused
from streams.services import calibrating
from streams.services.calibrating import Effect, Label, effect
from streams.services.views import View

Plane = NDArray[np.float64]

# Of each kind for each weight, in either half: with fewer, weights come out by chance (E. Vittinghoff and C. McCulloch,
# Relaxing the rule of ten events per variable, 2007).
OF_EACH_PER_WEIGHT = 5
_NAMES = tuple(uncertainty.WEIGHTS)
_STEPS, _RATE = 3000, 0.2  # after which no weight moves by .01 any more, on a thousand labels
_RIDGE = 0.02  # as in `make calibrate-cutout`: a feature that no label shows keeps its weight
_PREFIX = "cutout."
_SAME = 1e-3  # measures are rounded: nearer, the sum alone said how unsure a cutout is


class Weights(View, frozen=True, kw_only=True):
    """Weights in place of others, and what both do to the `held_out` labels at a channel's limit; `fitted` is the
    others' count. `bias` and `weights` are logits."""

    channel: str
    fitted: int
    held_out: int
    now: Effect
    then: Effect
    bias: float
    weights: Mapping[str, float]

    @property
    def is_better(self) -> bool:
        """Whether less of what passes is wrong, or more passes of which no more is."""
        is_no_worse = self.then.passes > self.now.passes and self.then.wrong <= self.now.wrong
        return is_no_worse or self.then.wrong < self.now.wrong


def propose(database: Database, channel: str) -> Weights:
    """The weights that people's decisions on a channel's pictures speak for.

    Raises Refused: `unknown_channel`, `too_few_labels`.
    """
    labels, text = calibrating.labelled(database, channel)
    limit = parse(text).uncertainty_max
    return weighed(channel, labels, UNCERTAINTY_MAX if limit is None else limit)


def weighed(channel: str, labels: Sequence[Label], limit: float) -> Weights:
    """The weights that labels speak for. Raises Refused `too_few_labels`."""
    known = [each for each in labels if _is_whole(each.measures)]
    fitted = [each for each in known if not each.is_held_out]
    held_out = [each for each in known if each.is_held_out]
    _check_enough(fitted, held_out)
    bias, weights = _fitted(fitted)
    return Weights(
        channel=channel,
        fitted=len(fitted),
        held_out=len(held_out),
        now=effect(held_out, limit),
        then=effect([_anew(each, bias, weights) for each in held_out], limit),
        bias=bias,
        weights=weights,
    )


def _is_whole(measures: Mapping[str, float]) -> bool:
    wanted = (*uncertainty.SEEN, "agreement", "left_out_share", "see_through_share", "plain_background")
    return all(f"{_PREFIX}{name}" in measures for name in wanted)


def _check_enough(fitted: Sequence[Label], held_out: Sequence[Label]) -> None:
    """Raises Refused where the labels say too little, or there is nothing to hold the weights against."""
    least = OF_EACH_PER_WEIGHT * (len(_NAMES) + 1)
    for labels, what in ((fitted, "fitted on"), (held_out, "held out")):
        good = sum(each.is_good for each in labels)
        if min(good, len(labels) - good) < least:
            message = (
                f"of {len(labels)} cutouts that are {what} people took {good}; weights are proposed from {least} of "
                "each kind on, in either half"
            )
            raise Refused("too_few_labels", message, field="channel")


def _features(label: Label) -> list[float]:
    measures = {name.removeprefix(_PREFIX): value for name, value in label.measures.items() if name.startswith(_PREFIX)}
    shown = uncertainty.features(measures)
    return [shown[name] for name in _NAMES]


def _fitted(labels: Sequence[Label]) -> tuple[float, dict[str, float]]:
    """Bias and weights of least loss, by projected gradient descent: no weight under 0, a ridge about those at work."""
    features = np.array([_features(each) for each in labels])
    bad = np.array([not each.is_good for each in labels], np.float64)
    counts = np.array([each.counts for each in labels])
    shares = counts / counts.sum()
    scale = features.std(axis=0) + 1e-6
    inputs, prior = features / scale, np.array([uncertainty.WEIGHTS[name] for name in _NAMES]) * scale
    bias, weights = uncertainty.BIAS, prior.copy()
    for _ in range(_STEPS):
        off = shares * (_likelihood(inputs @ weights + bias) - bad)
        bias -= _RATE * float(off.sum())
        weights = np.maximum(weights - _RATE * (inputs.T @ off + _RIDGE * (weights - prior)), 0)
    return round(bias, 2), dict(zip(_NAMES, (round(float(each), 2) for each in weights / scale), strict=True))


def _anew(label: Label, bias: float, weights: Mapping[str, float]) -> Label:
    """A label with the doubt that other weights give; what was doubted for something else stays as doubtful."""
    features = np.array(_features(label))
    before = float(_likelihood(features @ np.array([uncertainty.WEIGHTS[name] for name in _NAMES]) + uncertainty.BIAS))
    then = float(_likelihood(features @ np.array([weights[name] for name in _NAMES]) + bias))
    otherwise = label.doubt if label.doubt > before + _SAME else 0.0
    return Label(label.name, max(then, otherwise), label.is_good, label.counts, label.measures)


def _likelihood(logits: Plane) -> Plane:
    return np.asarray(1 / (1 + np.exp(-logits)))


prepare(Weights)
