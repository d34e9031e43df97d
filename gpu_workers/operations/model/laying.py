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
_NECK_BAND_M = 0.015


def laid(cut: Pattern, body: Points, joints: dict[str, NDArray[np.float64]]) -> Points:
    """The cloth's points, (n, 3) m, around the body (m, 3) m with its arms out. x to the viewer's right, y away from
    the camera, z up. `joints` are the body's."""
    ends = joints["shoulder_right"], joints["shoulder_left"]  # the body's right is the viewer's left
    middle = (ends[0] + ends[1]) / 2
    flat = cut.rest - [cut.necks[:, 0].mean(), cut.necks[:, 1].mean()]
    seam_cm = _to_seam(cut)
    tilt = float(np.arctan2(ends[1][2] - ends[0][2], ends[1][0] - ends[0][0]))
    height = _slope(body, middle, float(np.ptp(cut.necks[:, 0])) / 200) + _ABOVE_M
    arms = [
        [_on_panel(at, middle, height, tilt) for at in (joints[f"shoulder_{side}"], joints[f"elbow_{side}"])]
        for side in ("right", "left")
    ]
    x, z = _sleeves_turned(cut, flat, arms).T / 100
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
    seam = cut.rest[cut.side == 0]
    apart = ((cut.rest[:, None] - seam[None]) ** 2).sum(-1)
    return np.asarray(np.sqrt(apart.min(1)))


def _on_panel(at: Points, middle: Points, height: float, tilt: float) -> Points:
    """A point of the body (3,) m in the panels' plane, (2,) cm."""
    x, z = (at[0] - middle[0]) * 100, (at[2] - height) * 100
    return np.array([x * np.cos(tilt) + z * np.sin(tilt), z * np.cos(tilt) - x * np.sin(tilt)])


def _sleeves_turned(cut: Pattern, flat: Points, arms: list[list[Points]]) -> Points:
    """`flat` (n, 2) cm with each sleeve turned about its armhole and shifted so that it lies along its arm, which
    reaches from the shoulder to the elbow."""
    out = flat.copy()
    shift = flat[0] - cut.rest[0]
    for number, (joint, elbow) in enumerate(arms):
        shoulder, armpit, cuff = cut.sleeves[number] + shift
        axis, arm = cuff - (shoulder + armpit) / 2, (elbow - joint) / np.hypot(*(elbow - joint))
        turn = float(np.arctan2(axis[0] * arm[1] - axis[1] * arm[0], axis @ arm))
        beyond = np.clip(cut.into_sleeve_cm(cut.rest) / _HINGE_CM, 0.0, 1.0)
        beyond *= (flat[:, 0] * cuff[0] > 0) * (beyond * (3 - 2 * beyond))
        pivot = (shoulder + armpit) / 2
        off = (joint - pivot) - ((joint - pivot) @ arm) * arm
        out += _turned(flat, pivot, turn * beyond) + off * beyond[:, None] - flat
    return out


def _turned(points: Points, about: NDArray[np.float64], by: NDArray[np.float64]) -> Points:
    x, y = (points - about).T
    return np.asarray(about + np.column_stack([x * np.cos(by) - y * np.sin(by), x * np.sin(by) + y * np.cos(by)]))
