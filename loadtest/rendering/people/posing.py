"""Poses: each bone is turned about an axis of the world by its own and its parents' rotations, and the skin follows
by linear blending."""

from __future__ import annotations

import numpy as np
from makehuman import SKIN_VERTICES, Rig

X, Y, Z = np.eye(3)
Turns = dict[str, list[tuple[np.ndarray, float]]]
FINGERS = range(2, 6)


def rotation(axis: np.ndarray, deg: float) -> np.ndarray:
    """Rodrigues' rotation about an axis, right-handed."""
    x, y, z = axis / np.linalg.norm(axis)
    cross = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    angle = np.deg2rad(deg)
    return np.eye(3) + np.sin(angle) * cross + (1 - np.cos(angle)) * cross @ cross


def posed(rig: Rig, vertices: np.ndarray, turns: Turns) -> tuple[np.ndarray, np.ndarray]:
    """The skin (SKIN_VERTICES, 3) and the bones' heads, posed; the root stays where it is."""
    count = len(rig.names)
    turned, heads = np.zeros((count, 3, 3)), np.zeros((count, 3))
    for number, name in enumerate(rig.names):
        own = np.eye(3)
        for axis, deg in turns.get(name, []):
            own = rotation(axis, deg) @ own
        parent = rig.parents[number]
        above = np.eye(3) if parent < 0 else turned[parent]
        turned[number] = above @ own
        lift = rig.heads[number] if parent < 0 else heads[parent] + above @ (rig.heads[number] - rig.heads[parent])
        heads[number] = lift
    moved = np.zeros((SKIN_VERTICES, 3))
    for number in range(count):
        local = (vertices[:SKIN_VERTICES] - rig.heads[number]) @ turned[number].T + heads[number]
        moved += rig.weights[:, number : number + 1] * local
    return moved, heads


def stance(rig: Rig, on: str, arms_deg: float, spread_deg: float = 0.0) -> Turns:
    """Standing at ease, the weight on the `left` or `right` leg: hip out and up on that side, shoulders the other way,
    the free knee bent and turned out, arms lowered by `arms_deg` and bent, fingers curled. `spread_deg` keeps the free
    arm farther from the body."""
    s = 1.0 if on == "left" else -1.0  # +1: the body's left, which is +x
    near, far = ("L", "R") if on == "left" else ("R", "L")
    turns: Turns = {
        "root": [(Y, -3.2 * s), (Z, 4.0 * s)],
        "spine05": [(Y, 2.0 * s)],
        "spine04": [(Y, 2.0 * s), (Z, -2.0 * s)],
        "spine03": [(Y, 1.2 * s), (Z, -2.0 * s)],
        "spine02": [(X, -1.5)],
        "spine01": [(Y, 0.8 * s)],
        "neck01": [(Y, -1.5 * s)],
        f"upperleg01.{near}": [(Y, 6.0 * s)],
        f"upperleg01.{far}": [(Y, 1.5 * s), (X, -9.0), (Z, -6.0 * s)],
        f"lowerleg01.{far}": [(X, 17.0)],
        f"foot.{far}": [(X, -8.0)],
    }
    for side, sign in (("L", 1.0), ("R", -1.0)):
        free = side == far
        turns[f"clavicle.{side}"] = [(Y, 3.0 * sign)]
        turns[f"upperarm01.{side}"] = [
            (Y, (arms_deg - (spread_deg if free else 0.0)) * sign),
            (X, 4.0 if free else -3.0),
        ]
        turns[f"lowerarm01.{side}"] = [(X, 24.0 if free else 18.0), (Y, 3.0 * sign)]
        forearm = rig.head(f"lowerarm01.{side}") - rig.head(f"wrist.{side}")
        turns[f"lowerarm02.{side}"] = [(forearm, 18.0 * sign)]  # palms towards the thighs
        turns[f"wrist.{side}"] = [(forearm, 18.0 * sign), (Y, 4.0 * sign)]
        turns.update(_curled(rig, side, 1.0 if free else 0.75))
    return turns


def _curled(rig: Rig, side: str, strength: float) -> Turns:
    """Fingers half closed about the line of the knuckles, towards the palm, the little finger most."""
    first, last = rig.head(f"finger2-1.{side}"), rig.head(f"finger5-1.{side}")
    knuckles, along = last - first, rig.head(f"finger3-2.{side}") - rig.head(f"finger3-1.{side}")
    to_palm = float(np.sign(np.dot(np.cross(knuckles, along), rig.head(f"finger1-3.{side}") - first)))
    turns: Turns = {}
    for finger in FINGERS:
        for joint, deg in ((1, 9.0), (2, 17.0), (3, 10.0)):
            bend = strength * deg * (0.75 + 0.15 * (finger - 2))
            turns[f"finger{finger}-{joint}.{side}"] = [(knuckles, to_palm * bend)]
    turns[f"finger1-2.{side}"] = [(knuckles, to_palm * 12.0 * strength)]
    turns[f"finger1-3.{side}"] = [(knuckles, to_palm * 14.0 * strength)]
    return turns
