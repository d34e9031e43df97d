"""The ground of a scene in perspective: centimetres on it to pixels of a picture, and back."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gpu_workers.library.scenes import Scene

_ELEVATION_DEG_MIN = 2.0  # a camera in the ground's plane would see none of it
_SLOPE_MIN = 1e-6  # px per cm and row: a ground without perspective

Matrix = NDArray[np.float64]


@dataclass(frozen=True)
class Ground:
    """The surface as a camera that is not rolled sees it.

    The scale is zero at the row `horizon_px` and grows by `slope` (px a cm) with every row; lines that lead away meet
    on the horizon at the column `centre_px`. The camera looks down on the point (`x_px`, `y_px`), the origin of the
    ground, at `elevation_deg`.
    """

    horizon_px: float
    slope: float
    centre_px: float
    x_px: float
    y_px: float
    elevation_deg: float

    @property
    def px_per_cm(self) -> float:
        """The scale at the origin."""
        return self.scale_at(self.y_px)

    @property
    def sine(self) -> float:
        """How much shorter a length that leads away looks than one that faces the camera, at the origin."""
        return math.sin(math.radians(self.elevation_deg))

    @property
    def cosine(self) -> float:
        """The same of a length that stands upright."""
        return math.cos(math.radians(self.elevation_deg))

    def scale_at(self, y_px: float) -> float:
        """The scale in row `y_px`, in px a cm."""
        return self.slope * (y_px - self.horizon_px)

    def to_picture(self) -> Matrix:
        """The homography from (right, away) in cm, from the origin, to (x, y) in px."""
        scale, nearing = self.px_per_cm, self.slope * self.sine
        return np.array(
            [
                [scale, self.centre_px * nearing, self.x_px],
                [0.0, self.horizon_px * nearing, self.y_px],
                [0.0, nearing, 1.0],
            ]
        )

    def point(self, right_cm: float, away_cm: float) -> tuple[float, float]:
        """Where a point of the ground is in the picture, in px."""
        x, y, w = self.to_picture() @ (right_cm, away_cm, 1.0)
        return float(x / w), float(y / w)

    def at(self, x_px: float, y_px: float) -> "Ground":
        """The same ground with its origin at another point of the picture."""
        # What is seen further away is seen less steeply: the sine goes with the scale.
        sine = min(self.sine * self.scale_at(y_px) / self.px_per_cm, 1.0)
        return Ground(self.horizon_px, self.slope, self.centre_px, x_px, y_px, math.degrees(math.asin(sine)))

    def in_view(self, left_px: float, top_px: float, scale: float) -> "Ground":
        """The same ground in a picture cut out at (left, top) and then resized by `scale`."""
        return Ground(
            (self.horizon_px - top_px) * scale,
            self.slope,
            (self.centre_px - left_px) * scale,
            (self.x_px - left_px) * scale,
            (self.y_px - top_px) * scale,
            self.elevation_deg,
        )


def ground_of(scene: Scene, width_px: int) -> Ground:
    """The ground of a scene's plate, `width_px` wide, with its origin at the first place."""
    near, far, place = scene.surface.near, scene.surface.far, scene.places[0]
    slope = max((near.px_per_cm - far.px_per_cm) / (near.y_px - far.y_px), _SLOPE_MIN)
    return Ground(
        horizon_px=near.y_px - near.px_per_cm / slope,
        slope=slope,
        centre_px=width_px / 2,
        x_px=place.x_px,
        y_px=place.y_px,
        elevation_deg=max(scene.camera.elevation_deg, _ELEVATION_DEG_MIN),
    )


def seen_from(ground: Ground, depth_cm: NDArray[np.float32], focal_px: float) -> NDArray[np.float32]:
    """Where everything in a picture is, from its distance `depth_cm` (h, w) along the camera's axis: (h, w, 3) of
    (right, away, up) in cm from the ground's origin; a point of the ground is 0 up.

    At the camera's height every scale is the camera's distance: what is nearer than the ground in its row stands up
    by the same share of that height.
    """
    y, x = (np.arange(side, dtype=np.float32) + np.float32(0.5) for side in depth_cm.shape)
    scales = (ground.slope * (y - ground.horizon_px)).astype(np.float32)[:, None]
    origin_cm = focal_px / ground.px_per_cm
    stretch = ground.px_per_cm / (ground.slope * ground.sine * focal_px)
    right = (x[None] - ground.centre_px) * depth_cm / focal_px - (ground.x_px - ground.centre_px) / ground.px_per_cm
    away = (depth_cm - origin_cm) * stretch
    up = (1 - depth_cm * scales / focal_px) / ground.slope
    return np.dstack([right, away, up]).astype(np.float32)
