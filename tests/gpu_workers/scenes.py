"""Small scenes drawn for the tests: a table in front of a wall, lit from one side, seen by a level camera."""

import math
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import yaml
from numpy.typing import NDArray

from gpu_workers.imaging.linear_light import to_srgb

WIDTH, HEIGHT = 480, 360
ELEVATION_DEG = 12.0
DISTANCE_CM = 140.0
FOCAL_PX = 933.0
FOOT = (240.0, 260.0)
WALL_CM = 40.0


def write_scene(folder: Path, *, factor: float = 1.0, **changes: Any) -> Path:
    """A scene's folder inside `folder`, `factor` times 480 x 360 px; `changes` are of its file's fields."""
    text = _text(factor) | changes
    scene = folder / str(text["name"])
    scene.mkdir(parents=True, exist_ok=True)
    (scene / "scene.yaml").write_text(yaml.safe_dump(text))
    plate, key, depth = _layers(factor)
    for name, picture in (("plate.png", plate), ("key.png", key)):
        cv2.imwrite(str(scene / name), picture[..., ::-1])
    cv2.imwrite(str(scene / "depth.png"), depth)
    left = np.zeros(plate.shape[:2], np.uint8)
    left[:, : plate.shape[1] // 2] = 255
    cv2.imwrite(str(scene / "left.png"), left)
    occluder = np.zeros((*plate.shape[:2], 4), np.uint8)
    occluder[:, : round(60 * factor)] = (30, 90, 40, 255)
    cv2.imwrite(str(scene / "occluder.png"), occluder)
    return Path(scene)


def horizon_px() -> float:
    """The row at the camera's height."""
    return FOOT[1] - FOCAL_PX * math.tan(math.radians(ELEVATION_DEG))


def px_per_cm(y_px: float) -> float:
    """The scale in a row: the camera is `tan(elevation) * distance` above the table."""
    return (y_px - horizon_px()) / (math.tan(math.radians(ELEVATION_DEG)) * DISTANCE_CM)


def _text(factor: float) -> dict[str, Any]:
    near, far = HEIGHT, 200
    return {
        "name": "table",
        "version": 1,
        "title": "A table before a wall",
        "source": "drawn",
        "licence": "Apache-2.0",
        "kind": "interior",
        "plate": "plate.png",
        "key": "key.png",
        "camera": {"elevation_deg": ELEVATION_DEG, "focal_px": FOCAL_PX * factor},
        "surface": {
            "near": {"y_px": near * factor, "px_per_cm": px_per_cm(near) * factor},
            "far": {"y_px": far * factor, "px_per_cm": px_per_cm(far) * factor},
        },
        "light": {"azimuth_deg": -60.0, "elevation_deg": 40.0, "softness_deg": 12.0, "ambient": 0.4},
        "places": [
            {
                "name": "middle",
                "x_px": FOOT[0] * factor,
                "y_px": FOOT[1] * factor,
                "width_cm": 40.0,
                "depth_cm": 5.0,
                "height_cm_max": 35.0,
            },
            {
                "name": "right",
                "x_px": 340 * factor,
                "y_px": 290 * factor,
                "width_cm": 25.0,
                "depth_cm": 3.0,
                "height_cm_max": 30.0,
            },
        ],
        "height_cm": [3.0, 35.0],
    }


def _layers(factor: float) -> tuple[NDArray[np.uint8], NDArray[np.uint8], NDArray[np.uint16]]:
    width, height = round(WIDTH * factor), round(HEIGHT * factor)
    y, x = (np.mgrid[:height, :width].astype(np.float32) + np.float32(0.5)) / np.float32(factor)
    wall_foot = horizon_px() + FOCAL_PX * math.tan(math.radians(ELEVATION_DEG)) * DISTANCE_CM / (DISTANCE_CM + WALL_CM)
    on_table = y > wall_foot
    light = np.where(on_table, 0.35 + 0.1 * x / WIDTH, 0.25 + 0.1 * y / HEIGHT)
    plate = light[..., None] * np.array([1.0, 0.94, 0.86])
    scale = np.maximum((y - horizon_px()) / (math.tan(math.radians(ELEVATION_DEG)) * DISTANCE_CM), 1e-6)
    depth = np.where(on_table, FOCAL_PX / scale, DISTANCE_CM + WALL_CM) * 10
    return (
        to_srgb(plate.astype(np.float32)),
        to_srgb((plate * 0.6).astype(np.float32)),
        np.rint(depth).astype(np.uint16),
    )
