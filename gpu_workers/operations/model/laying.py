"""Where the cloth begins: both panels upright around a body whose arms are out, the sleeves turned to the arms."""

import numpy as np
from numpy.typing import NDArray

from gpu_workers.operations.model.drape import Points
from gpu_workers.operations.model.pattern import Pattern

# Set by hand, none is fitted.
_ABOVE_M = 0.015  # the neck's ends over the shoulders' slope
_ROOM_M = 0.03  # between a panel's middle and the trunk
_ROUND_CM = 12.0  # from a seam to where a panel is as far from the trunk as it comes
_ARM_ROUND_M = 0.075  # the least half depth around an arm
_TOP_CM = (30.0, 22.0)  # below the neck's ends the panels' middle goes over from the trunk's to the shoulders'
_HINGE_CM = 5.0  # of the armhole, across which a sleeve's turn begins
_TURN_LEAST_RAD = 0.05
_NECK_BAND_M = 0.015


def laid(cut: Pattern, body: Points, joints: dict[str, NDArray[np.float64]]) -> Points:
    """The cloth's points, (n, 3) m, around the body (m, 3) m with its arms out. x to the viewer's right, y away from
    the camera, z up. `joints` are the body's."""
    ends = joints["shoulder_right"], joints["shoulder_left"]  # the body's right is the viewer's left
    middle = (ends[0] + ends[1]) / 2
    flat = cut.flat - [cut.necks[:, 0].mean(), cut.necks[:, 1].mean()]
    seam_cm = _to_seam(cut)
    turned = _sleeves_turned(cut, flat, ends, (joints["elbow_right"], joints["elbow_left"]))
    tilt = float(np.arctan2(ends[1][2] - ends[0][2], ends[1][0] - ends[0][0]))
    x, z = turned.T / 100
    height = _slope(body, middle, float(np.ptp(cut.necks[:, 0])) / 200) + _ABOVE_M
    trunk = body[(body[:, 2] < middle[2] - 0.05) & (body[:, 2] > joints["hip_left"][2]) & _central(body, middle)]
    low, high = trunk[:, 1].min(), trunk[:, 1].max()
    round_ = np.sqrt(1 - (1 - np.clip(seam_cm / _ROUND_CM, 0.0, 1.0)) ** 2)
    up = np.clip((flat[:, 1] + _TOP_CM[0]) / _TOP_CM[1], 0.0, 1.0)
    depth = round_ * np.maximum((high - low) / 2 + _ROOM_M, _ARM_ROUND_M)
    y = (low + high) / 2 * (1 - up) + middle[1] * up - cut.side * depth
    return np.column_stack(
        [middle[0] + x * np.cos(tilt) - z * np.sin(tilt), y, height + x * np.sin(tilt) + z * np.cos(tilt)]
    )


def _central(body: Points, middle: NDArray[np.float64]) -> NDArray[np.bool_]:
    return np.asarray(np.abs(body[:, 0] - middle[0]) < 0.15)


def _slope(body: Points, middle: NDArray[np.float64], half_m: float) -> float:
    """How high the shoulders are where the neck of the cloth ends."""
    away = np.abs(np.abs(body[:, 0] - middle[0]) - half_m) < _NECK_BAND_M
    near = away & (np.abs(body[:, 1] - middle[1]) < 0.09) & (body[:, 2] < middle[2] + 0.085)
    return float(body[near, 2].max())


def _to_seam(cut: Pattern) -> NDArray[np.float64]:
    seam = cut.flat[cut.side == 0]
    apart = ((cut.flat[:, None] - seam[None]) ** 2).sum(-1)
    return np.asarray(np.sqrt(apart.min(1)))


def _sleeves_turned(cut: Pattern, flat: Points, shoulders, elbows) -> Points:  # type: ignore[no-untyped-def]
    """`flat` (n, 2) cm with each sleeve turned about its armhole so that it points along its arm."""
    out = flat.copy()
    shift = flat[0] - cut.flat[0]
    for number, sign in enumerate((-1.0, 1.0)):
        shoulder, armpit, cuff = cut.sleeves[number] + shift
        arm = elbows[number] - shoulders[number]
        along = cuff - (shoulder + armpit) / 2
        turn = float(np.arctan2(arm[2], arm[0] * sign) - np.arctan2(along[1], along[0] * sign)) * sign
        hole = (armpit - shoulder) / np.hypot(*(armpit - shoulder))
        outwards = np.array([-hole[1], hole[0]])
        outwards *= np.sign(outwards[0]) * sign
        beyond = np.clip(((flat - shoulder) @ outwards) / _HINGE_CM, 0.0, 1.0)
        beyond *= (flat[:, 0] * sign > 0) * (beyond * (3 - 2 * beyond))
        if abs(turn) > _TURN_LEAST_RAD:
            out += _turned(flat, shoulder * 0.55 + armpit * 0.45, turn * beyond) - flat
    return out


def _turned(points: Points, about: NDArray[np.float64], by: NDArray[np.float64]) -> Points:
    x, y = (points - about).T
    return about + np.column_stack([x * np.cos(by) - y * np.sin(by), x * np.sin(by) + y * np.cos(by)])
