"""A body from its description to the two meshes that are drawn and dressed."""

from __future__ import annotations

import io
from dataclasses import dataclass
from pathlib import Path

import clothing
import numpy as np
from makehuman import SKIN_VERTICES, Rig, base_mesh, shaped
from phenotypes import Body
from posing import posed, stance

START_DEG, AT_EASE_DEG, SPREAD_DEG = 4.0, 31.0, 4.0  # how far the arms are lowered from MakeHuman's 45 degrees
CHEST_BELOW_SHOULDER_M = 0.055  # the base layer's upper edge below the shoulder joints: above the armpits' fold
TOP_ABOVE_NECK_M = 0.06  # the frame's upper edge above the neck joint: below the lips
FRAME_SHARE = 0.60  # of the height from ground to the frame's upper edge that is seen
UNIT_M = 1e-4  # of the mesh file's whole numbers
JOINTS = {
    "neck": "neck01",
    "shoulder_left": "upperarm01.L",
    "shoulder_right": "upperarm01.R",
    "elbow_left": "lowerarm01.L",
    "elbow_right": "lowerarm01.R",
    "hip_left": "upperleg01.L",
    "hip_right": "upperleg01.R",
}


@dataclass(frozen=True)
class Figure:
    """A body: `start` and `stands` (n, 3), the dressed skin with its arms out and at ease, `faces` (m, 4); `fine` the
    latter once divided, as it is drawn. `joints` are of `start`. Metres; the ground is at 0."""

    body: Body
    start: np.ndarray
    stands: np.ndarray
    faces: np.ndarray
    fine: np.ndarray
    fine_faces: np.ndarray
    fine_covered: np.ndarray
    fine_arms: np.ndarray
    joints: dict[str, np.ndarray]
    top_m: float
    bottom_m: float
    height_m: float
    chest_m: float

    def mesh_file(self) -> bytes:
        """Both poses and the drawn mesh as an .npz of whole numbers."""
        out = io.BytesIO()
        whole = {name: np.rint(getattr(self, name) / UNIT_M).astype(np.int16) for name in ("start", "stands", "fine")}
        faces = {"faces": self.faces.astype(np.uint16), "fine_faces": self.fine_faces.astype(np.uint16)}
        covered, arms = (np.rint(each * 255).astype(np.uint8) for each in (self.fine_covered, self.fine_arms))
        np.savez_compressed(out, **whole, **faces, covered=covered, arms=arms)
        return out.getvalue()


def figure(data: Path, body: Body) -> Figure:
    """A body from MakeHuman's files in `data`."""
    vertices, (_, faces) = shaped(data, body), base_mesh(data)
    rig = Rig(data, vertices)
    start, joints = posed(rig, vertices, stance(rig, body.stance, START_DEG))
    stands, heads = posed(rig, vertices, stance(rig, body.stance, AT_EASE_DEG, SPREAD_DEG))
    ground = stands[:, 2].min()
    chest_line = rig.head("upperarm01.L")[2] - CHEST_BELOW_SHOULDER_M
    layer = clothing.covering(rig, vertices, chest_line)
    dressed = [clothing.worn(each - [0.0, 0.0, ground], faces, layer) for each in (start, stands)]
    fine, fine_faces, flags = divided(dressed[1], faces, np.column_stack([layer.covered, layer.arms]))
    top = float(heads[rig.names.index("neck01"), 2] - ground + TOP_ABOVE_NECK_M)
    named = {name: joints[rig.names.index(bone)] - [0.0, 0.0, ground] for name, bone in JOINTS.items()}
    return Figure(
        body=body,
        start=dressed[0],
        stands=dressed[1],
        faces=faces,
        fine=fine,
        fine_faces=fine_faces,
        fine_covered=flags[:, 0],
        fine_arms=flags[:, 1],
        joints=named,
        top_m=top,
        bottom_m=top * (1 - FRAME_SHARE),
        height_m=float(np.ptp(stands[:, 2])),
        chest_m=girth(vertices[:SKIN_VERTICES], rig),
    )


def girth(rest: np.ndarray, rig: Rig) -> float:
    """The largest girth of the trunk, without arms, between armpits and waist, in metres: of the convex hull of a
    slice, as a tape measures."""
    arm = sum(rig.weights[:, n] for n, name in enumerate(rig.names) if name.startswith(clothing.ARM_BONES[2:]))
    high, low = rig.head("upperarm01.L")[2] - 0.10, rig.head("spine03")[2]
    trunk = rest[arm < 0.3]
    return max(_hull_length(trunk[np.abs(trunk[:, 2] - z) < 0.012][:, :2]) for z in np.arange(low, high, 0.01))


def _hull_length(points: np.ndarray) -> float:
    turn = np.linspace(0, 2 * np.pi, 180, endpoint=False)
    reach = (points @ np.array([np.cos(turn), np.sin(turn)])).max(0)
    return float(reach.mean() * 2 * np.pi)  # Cauchy: a convex curve is as long as its mean width times pi


def divided(vertices: np.ndarray, faces: np.ndarray, value: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """One step of Catmull and Clark's subdivision of a mesh of quadrilaterals, `value` (n, k) divided linearly."""
    edges = np.sort(np.vstack([faces[:, [k, (k + 1) % 4]] for k in range(4)]), axis=1)
    unique, index = np.unique(edges, axis=0, return_inverse=True)
    index = index.reshape(4, -1).T
    centre = vertices[faces].mean(1)
    count, around = np.zeros(len(unique)), np.zeros((len(unique), 3))
    np.add.at(around, index, centre[:, None])
    np.add.at(count, index, 1.0)
    middle = vertices[unique].mean(1)
    inner = (count == 2)[:, None]
    on_edge = np.where(inner, (2 * middle + around) / 4, middle)
    moved = _corners(vertices, faces, unique, middle, centre, count)
    first, second = len(vertices), len(vertices) + len(unique)
    cells = np.arange(len(faces)) + second
    quads = [np.column_stack([faces[:, k], index[:, k] + first, cells, index[:, k - 1] + first]) for k in range(4)]
    values = np.concatenate([value, value[unique].mean(1), value[faces].mean(1)])
    return np.vstack([moved, on_edge, centre]), np.vstack(quads), values


def _corners(
    vertices: np.ndarray,
    faces: np.ndarray,
    edges: np.ndarray,
    middle: np.ndarray,
    centre: np.ndarray,
    count: np.ndarray,
) -> np.ndarray:
    sums, cells = np.zeros_like(vertices), np.zeros(len(vertices))
    np.add.at(sums, faces, centre[:, None])
    np.add.at(cells, faces, 1.0)
    halves, ways = np.zeros_like(vertices), np.zeros(len(vertices))
    np.add.at(halves, edges, middle[:, None])
    np.add.at(ways, edges, 1.0)
    valence = np.maximum(cells, 1.0)[:, None]
    smooth = (sums / valence + 2 * halves / np.maximum(ways, 1.0)[:, None] + (valence - 3) * vertices) / valence
    rim = np.zeros(len(vertices), bool)
    rim[edges[count < 2].ravel()] = True
    return np.where((rim | (cells == 0))[:, None], vertices, smooth)
