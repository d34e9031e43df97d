"""What a line of text says: the line cut out and set upright, and the recogniser's answer as characters.

Its answer is decoded as A. Graves et al., Connectionist Temporal Classification, ICML 2006, do at best: the likeliest
character of each step, repeats and blanks left out.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from gpu_workers.imaging.types import Code, Plane
from gpu_workers.imaging.writing import Points
from gpu_workers.reading.finding import line_size

HEIGHT_PX = 48  # of a line as the recogniser takes it
WIDTHS_PX = (192, 384)  # for which it is made ready; a longer line is narrowed to the last

_NARROWED_MAX = 1.2  # times, which the recogniser does not mind


@dataclass(frozen=True)
class Recognised:
    """What a line says, and how sure that is: the mean likelihood of its characters, 0..1; 0 for nothing."""

    text: str
    confidence: float


def cut_line(rgb: Code, box: Points) -> Code:
    """The line in the `box` (4, 2) of uint8 RGB (h, w, 3), upright, at the size that it has there."""
    width, height = (max(1, math.ceil(side)) for side in line_size(box))
    upright = np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float32)
    matrix = cv2.getPerspectiveTransform(box.astype(np.float32), upright)
    return np.asarray(
        cv2.warpPerspective(rgb, matrix, (width, height), flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
    )


def read_width(box: Points) -> int:
    """How wide the line in a `box` (4, 2) is as it is read, px of WIDTHS_PX: what it costs."""
    width, height = line_size(box)
    return _framed(width / height * HEIGHT_PX)


def set_up(line: Code) -> Code:
    """A line (h, w, 3) as the recogniser takes it: HEIGHT_PX high, one of WIDTHS_PX wide, grey behind its end."""
    natural = math.ceil(line.shape[1] * HEIGHT_PX / line.shape[0])
    width = _framed(natural)
    shrinks = line.shape[0] > HEIGHT_PX
    kind = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
    frame = np.full((HEIGHT_PX, width, 3), 127, np.uint8)
    frame[:, : min(natural, width)] = cv2.resize(line, (min(natural, width), HEIGHT_PX), interpolation=kind)
    return frame


def recognised(answer: Plane, characters: Sequence[str]) -> Recognised:
    """What the recogniser's `answer` (1, steps, characters) says; the first of its characters is none."""
    steps = answer.reshape(answer.shape[-2:])
    best = steps.argmax(axis=1)
    new = (best > 0) & (best != np.concatenate([[-1], best[:-1]]))
    likelihoods = steps[np.flatnonzero(new), best[new]]
    text = "".join(characters[index - 1] for index in best[new])
    return Recognised(text, float(likelihoods.mean()) if len(likelihoods) else 0.0)


def _framed(width_px: float) -> int:
    return next((each for each in WIDTHS_PX if width_px <= each * _NARROWED_MAX), WIDTHS_PX[-1])
