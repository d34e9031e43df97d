"""The studio: three soft boxes, a bright room, paper behind and below, and the camera. Lengths in metres; the body
stands at the origin and looks along -y."""

from __future__ import annotations

from dataclasses import dataclass

Vector3 = tuple[float, float, float]


@dataclass(frozen=True)
class SoftBox:
    """A square lamp at `place` that looks at `target`; `watts` over π and its area are its radiance."""

    name: str
    place: Vector3
    target: Vector3
    side_m: float
    watts: float


@dataclass(frozen=True)
class Studio:
    """All light there is. `room` is the radiance of what is not paper."""

    boxes: tuple[SoftBox, ...]
    room: float
    paper: Vector3


STUDIO = Studio(
    boxes=(
        SoftBox("key", (-2.1, -2.7, 2.7), (0.0, 0.0, 1.15), 1.5, 105.0),
        SoftBox("fill", (2.8, -2.3, 1.5), (0.0, 0.0, 1.0), 2.2, 30.0),
        SoftBox("rim", (1.5, 1.0, 2.7), (0.0, 0.0, 1.3), 0.9, 30.0),
    ),
    room=0.30,
    paper=(0.70, 0.69, 0.675),
)
CAMERA_M = 4.4  # from the body's axis; level, at half the frame's height
