"""How large a top is cut for a body.

Where its width is known it is cut as it lies. Else its chest is the body's girth and its ease, and a top that would
then be longer than tops are on this body is let out at the sides instead, as larger sizes are cut.
"""

from gpu_workers.library.bodies import Model
from gpu_workers.operations.model.outline import Outline
from gpu_workers.operations.model.pattern import PLAIN_FROM, Pattern, pattern
from schemas.operations.model import Fit

# Set by hand, none is fitted.
_EASE_CM: dict[Fit, float] = {"slim": 4.0, "regular": 9.0, "loose": 16.0}  # of the chest's girth
_BELOW_HIP_CM = 16.0  # how far below the hip joints a hem reaches at most, measured down from the neck's joint
LET_OUT_MAX = 1.16  # of the sides' width


def cut_for(found: Outline, model: Model, width_cm: float | None, fit: Fit) -> Pattern:
    """The panels for this body."""
    if width_cm is not None:
        return pattern(found, width_cm)
    wide_cm = (model.chest_cm + _EASE_CM[fit]) / 2
    whole = pattern(found, wide_cm)
    over = 1 - longest_cm(model) / whole.length_cm
    most = (LET_OUT_MAX - 1) * (1 - PLAIN_FROM) * wide_cm / (1 + (LET_OUT_MAX - 1) * (1 - PLAIN_FROM))
    return whole if over <= 0 else pattern(found, wide_cm, min(over * wide_cm, most))


def longest_cm(model: Model) -> float:
    """How long a top is at most on this body, from the neck to its hem."""
    joints = model.joints
    hips = (joints["hip_left"][2] + joints["hip_right"][2]) / 2
    return float(joints["neck"][2] - hips) * 100 + _BELOW_HIP_CM
