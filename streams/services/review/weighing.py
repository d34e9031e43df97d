"""Learning from people: what speaks how much against a cutout, which are the weights of its uncertainty.

They are fitted on one half of the labels, near the weights that are at work, for decisions are few and products many;
what they would have done is told of the other half. They are a rule of a channel's, which gates go by: released with
its other rules, and withdrawn with them.
"""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from schemas import uncertainty
from schemas.channels.rulebook import BadChannel, parse
from schemas.decoding import prepare
from streams.facts import Database
from streams.flow.gates.edges import UNCERTAINTY_MAX
from streams.runtime.errors import Refused
from streams.services.reports.views import View
from streams.services.review import calibrating
from streams.services.review.calibrating import Effect, Label, effect

Plane = NDArray[np.float64]

# Of each kind for each weight, in either half: with fewer, weights come out by chance (E. Vittinghoff and C. McCulloch,
# Relaxing the rule of ten events per variable, 2007).
OF_EACH_PER_WEIGHT = 5
RULE = "uncertainty_weights"
_NAMES = tuple(uncertainty.WEIGHTS)
_STEPS, _RATE = 3000, 0.2  # after which no weight moves by .01 any more, on a thousand labels
_RIDGE = 0.02  # as in `make calibrate-cutout`: a feature that no label shows keeps its weight


class Weights(View, frozen=True, kw_only=True):
    """Weights in place of those at work, and what both do to the `held_out` labels at a channel's limit; `fitted` is
    the others' count. `bias` and `weights` are logits. `text` are the channel's rules with them, to be released."""

    channel: str
    version: str
    fitted: int
    held_out: int
    now: Effect
    then: Effect
    bias: float
    weights: Mapping[str, float]
    text: str

    @property
    def is_better(self) -> bool:
        """Whether less of what passes is wrong, or more passes of which no more is."""
        is_no_worse = self.then.passes > self.now.passes and self.then.wrong <= self.now.wrong
        return is_no_worse or self.then.wrong < self.now.wrong


def propose(database: Database, channel: str) -> Weights:
    """The weights that people's decisions on a channel's pictures speak for.

    Raises Refused: `unknown_channel`, `too_few_labels`.
    """
    return weighed(channel, *calibrating.labelled(database, channel))


def weighed(channel: str, labels: Sequence[Label], text: str) -> Weights:
    """The weights that labels speak for, in the rules of `text`. Raises Refused `too_few_labels`."""
    rules = parse(text)
    limit = UNCERTAINTY_MAX if rules.uncertainty_max is None else rules.uncertainty_max
    at_work = rules.uncertainty_weights or uncertainty.SHIPPED
    known = [each for each in labels if uncertainty.of_cutout(each.measures) is not None]
    fitted = [each for each in known if not each.is_held_out]
    held_out = [each for each in known if each.is_held_out]
    _check_enough(fitted, held_out)
    found = _fitted(fitted, at_work)
    written = _with_weights(text, rules.version, found)
    return Weights(
        channel=channel,
        version=parse(written).rule_version,
        fitted=len(fitted),
        held_out=len(held_out),
        now=effect([_anew(each, at_work) for each in held_out], limit),
        then=effect([_anew(each, found) for each in held_out], limit),
        bias=found.bias,
        weights={name: getattr(found, name) for name in _NAMES},
        text=written,
    )


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
    cutout = uncertainty.of_cutout(label.measures)
    assert cutout is not None
    shown = uncertainty.features(cutout)
    return [shown[name] for name in _NAMES]


def _fitted(labels: Sequence[Label], at_work: uncertainty.Weights) -> uncertainty.Weights:
    """The weights of least loss, by projected gradient descent: none under 0, a ridge about those at work."""
    features = np.array([_features(each) for each in labels])
    bad = np.array([not each.is_good for each in labels], np.float64)
    counts = np.array([each.counts for each in labels])
    shares = counts / counts.sum()
    scale = features.std(axis=0) + 1e-6
    inputs, prior = features / scale, np.array([getattr(at_work, name) for name in _NAMES]) * scale
    bias, weights = at_work.bias, prior.copy()
    for _ in range(_STEPS):
        off = shares * (_likelihood(inputs @ weights + bias) - bad)
        bias -= _RATE * float(off.sum())
        weights = np.maximum(weights - _RATE * (inputs.T @ off + _RIDGE * (weights - prior)), 0)
    rounded = (round(float(each), 2) for each in weights / scale)
    return uncertainty.Weights(bias=round(bias, 2), **dict(zip(_NAMES, rounded, strict=True)))


def _anew(label: Label, weights: uncertainty.Weights) -> Label:
    """A label with the doubt that weights give."""
    measured = label.measures.get(uncertainty.SUM, label.doubt)
    doubt = uncertainty.weighed(label.measures, measured, weights)
    return Label(label.name, doubt, label.is_good, label.counts, label.measures)


def _with_weights(text: str, version: str, weights: uncertainty.Weights) -> str:
    """Rules with these weights, and the version after theirs. Raises BadChannel where they cannot be written so."""
    values = ", ".join(f"{name}: {getattr(weights, name):g}" for name in weights.__struct_fields__)
    written = calibrating.with_rule(text, version, RULE, f"{{{values}}}", "--from-decisions --weights")
    if parse(written).uncertainty_weights != weights:
        raise BadChannel(f"{RULE}: they could not be written into these rules")
    return written


def _likelihood(logits: Plane) -> Plane:
    return np.asarray(1 / (1 + np.exp(-logits)))


prepare(Weights)
