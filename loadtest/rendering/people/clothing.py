"""The base layer every body wears: one close-fitting piece from the chest line to below the frame, black-grey.

It is the body's own surface: the vertices between the lines are smoothed, so that nothing of the body shows through,
and set off by a few millimetres. It has no seam at which a hole could open.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from makehuman import SKIN_VERTICES, Rig

ARM_BONES = ("clavicle", "shoulder", "upperarm", "lowerarm", "wrist", "finger", "metacarpal")
LEG_BONES = ("upperleg", "lowerleg", "foot", "toe")
THICK_M, SMOOTHINGS = 0.0035, 30
RAMP_M = 0.012  # over which the layer's edge grows to its thickness


@dataclass(frozen=True)
class Layer:
    """`covered` (n,) 0..1: how much of the layer is over each vertex of the skin; its half line is the drawn edge.
    `arms` (n,) 0..1: how much of the vertex an arm or a hand moves."""

    covered: np.ndarray
    arms: np.ndarray


def covering(rig: Rig, rest: np.ndarray, chest_m: float) -> Layer:
    """The layer on a body in its rest pose (n, 3): all below `chest_m` that is not an arm."""
    arm = sum(rig.weights[:, number] for number, name in enumerate(rig.names) if name.startswith(ARM_BONES[2:]))
    edge = np.clip(0.5 + (chest_m - rest[:SKIN_VERTICES, 2]) / RAMP_M, 0.0, 1.0)
    return Layer(edge * (arm < 0.5), arm)


def worn(vertices: np.ndarray, faces: np.ndarray, layer: Layer) -> np.ndarray:
    """The posed skin (n, 3) with the layer on: smoothed where it is, and set off along its normals."""
    edges = np.vstack([faces[:, [a, b]] for a, b in ((0, 1), (1, 2), (2, 3), (3, 0))])
    count = np.bincount(edges.ravel(), minlength=len(vertices))[:, None]
    share = layer.covered[:, None]
    out = vertices.copy()
    for _ in range(SMOOTHINGS):
        near = np.zeros_like(out)
        np.add.at(near, edges[:, 0], out[edges[:, 1]])
        np.add.at(near, edges[:, 1], out[edges[:, 0]])
        out += 0.5 * share * (near / np.maximum(count, 1) - out)
    return out + normals(out, faces) * share * (THICK_M + 0.3 * _lost(vertices, out, faces, share))


def _lost(before: np.ndarray, after: np.ndarray, faces: np.ndarray, share: np.ndarray) -> np.ndarray:
    """How far smoothing sank the surface, in metres; cloth bridges hollows and does not sink into the body."""
    sunk = ((before - after) * normals(after, faces)).sum(1, keepdims=True)
    return np.clip(sunk, 0.0, 0.02) * share


def normals(vertices: np.ndarray, faces: np.ndarray) -> np.ndarray:
    """Each vertex's unit normal, outwards."""
    across = np.cross(vertices[faces[:, 2]] - vertices[faces[:, 0]], vertices[faces[:, 3]] - vertices[faces[:, 1]])
    out = np.zeros_like(vertices)
    for corner in range(4):
        np.add.at(out, faces[:, corner], across)
    return out / (np.linalg.norm(out, axis=1, keepdims=True) + 1e-12)
