"""A picture into what a network takes, and its answer into a mask or what it saw, as the manifest says."""

from collections.abc import Mapping
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from gpu_workers.imaging.types import Plane
from gpu_workers.models.manifest import Input, Output


def tensor_of(picture: NDArray[np.uint8], of: Input) -> Plane:
    """The network's input, of its manifest's shape, for uint8 RGB (h, w, 3): squashed, scaled and normalised.

    `mean` and `std` are those of the bands in the order in which the network has them.
    """
    height_px, width_px = of.size_px
    small = cv2.resize(picture, (width_px, height_px), interpolation=cv2.INTER_AREA)
    small = small[..., ::-1] if of.bands == "bgr" else small
    white = max(1, int(small.max())) if of.white == "brightest" else 255
    values = (small.astype(np.float32) / white - np.array(of.mean, np.float32)) / np.array(of.std, np.float32)
    return np.ascontiguousarray(values if of.has_bands_last else values.transpose(2, 0, 1), np.float32)


def mask_of(answer: Plane, of: Output) -> Plane:
    """The mask (h, w) in 0..1 in a network's answer (1, h, w)."""
    mask = answer.reshape(of.shape[1:])
    if of.activation == "sigmoid":
        mask = 1 / (1 + np.exp(-np.clip(mask, -60, 60)))
    if of.stretch:
        low, high = float(mask.min()), float(mask.max())
        mask = (mask - low) / max(high - low, 1e-6)
    return np.clip(mask, 0, 1).astype(np.float32, copy=False)


@dataclass(frozen=True)
class Seen:
    """What a network saw in a photograph, each 0..1: how likely it is of one of the doubtful classes, None where the
    manifest names none, and the scores of those that have a name."""

    doubt: float | None
    classes: Mapping[str, float]


def seen_in(answer: Plane, of: Output) -> Seen:
    """What is in a network's answer (classes,)."""
    scores = _shares(np.asarray(answer, np.float64).reshape(of.shape[-1]), of)
    doubt = float(np.clip(scores[list(of.doubtful)].sum(), 0, 1)) if of.doubtful else None
    return Seen(doubt, {name: float(np.clip(scores[number], 0, 1)) for name, number in of.classes.items()})


def _shares(scores: NDArray[np.float64], of: Output) -> NDArray[np.float64]:
    if of.activation == "softmax":
        scores = np.exp(scores - scores.max())
        return np.asarray(scores / scores.sum())
    if of.activation == "sigmoid":
        return np.asarray(1 / (1 + np.exp(-np.clip(scores, -60, 60))))
    return scores
