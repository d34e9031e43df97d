"""The outlines of a mask, and what is read across them: a picture is noisy at a pixel, and even along an outline."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from gpu_workers.imaging.types import Flags, Plane

Points = NDArray[np.float32]
SPACING_PX = 0.5  # of what is read across an outline
_LENGTH_PX_MIN = 80  # of an outline: a shorter one says nothing; set by hand
_REMAP_MAX = 32_767  # of what OpenCV's remap reads and writes, a side; so long an outline is fur, or noise
_ALONG_PX = 3.0  # by which it is averaged along itself; set by hand
_TANGENT_PX = 4  # to both sides, between which an outline is straight enough for its normal; set by hand
_STRAIGHT_PX = 1.5  # as much may a reading be off the outline's own distance: more, and another part is as near


@dataclass(frozen=True)
class Outline:
    """A closed course of n `pixels` (n, 2; x and y) along a mask's half: smoothed, as `points` (n, 2), and with its
    `normals` (n, 2) outwards. `away` (h, w) is how far each pixel of the picture is outside of the mask."""

    pixels: NDArray[np.intp]
    points: Points
    normals: Points
    away: Plane

    def across(self, picture: Plane, offsets_px: Points) -> Plane:
        """`picture` (h, w) or (h, w, 3) at offsets (k,) along the normals, (n, k) or (n, k, 3)."""
        return _sampled(picture, self.points[:, None] + offsets_px[None, :, None] * self.normals[:, None])

    def is_clear(self, offsets_px: Points) -> Flags:
        """Where (n,) nothing else of the mask is nearer to what is read at offsets (k,)."""
        off = np.abs(self.across(self.away, offsets_px) - offsets_px)
        return np.asarray(off.max(axis=1) < _STRAIGHT_PX)


def outlines_of(mask: Plane) -> list[Outline]:
    """The outlines of `mask` (h, w), 0..1, its gaps' too, but for those of specks and small gaps, and endless ones."""
    if max(mask.shape) >= _REMAP_MAX:
        return []
    solid = (mask > 0.5).astype(np.uint8)
    away = cv2.distanceTransform(1 - solid, cv2.DIST_L2, 5) - cv2.distanceTransform(solid, cv2.DIST_L2, 5)
    found, _ = cv2.findContours(solid, cv2.RETR_CCOMP, cv2.CHAIN_APPROX_NONE)
    courses = [each[:, 0].astype(np.intp) for each in found if _LENGTH_PX_MIN <= len(each) < _REMAP_MAX]
    points = [averaged(course.astype(np.float32)) for course in courses]
    return [Outline(course, at, _normals(at, away), away) for course, at in zip(courses, points, strict=True)]


def offsets(inside_px: int, outside_px: int) -> Points:
    """From so far inside of an outline to so far outside, by SPACING_PX."""
    return np.arange(-inside_px, outside_px + SPACING_PX, SPACING_PX, dtype=np.float32)


def averaged(course: Plane) -> Plane:
    """A closed course (n,) or (n, k), averaged along itself."""
    reach = int(4 * _ALONG_PX)
    around = _around(course.reshape(len(course), -1), reach)
    soft = cv2.GaussianBlur(around, (1, 2 * reach + 1), 0.1, sigmaY=_ALONG_PX)[reach : len(around) - reach]
    return np.asarray(soft, np.float32).reshape(course.shape)


def median(course: Plane, window: int, among: Flags | None = None) -> Plane:
    """The medians (n,) of a closed course (n,) within a window about each; `among` (n,) those, infinite of none."""
    values = course if among is None else np.where(among, course, np.nan)
    windows = np.lib.stride_tricks.sliding_window_view(_around(values, window // 2), 2 * (window // 2) + 1)
    counted = np.sort(windows, axis=1)  # what is not a number comes last
    counts = (~np.isnan(windows)).sum(axis=1)
    middle = counted[np.arange(len(course)), np.maximum(counts - 1, 0) // 2]
    return np.where(counts > 0, middle, np.inf).astype(np.float32)


def outermost(flags: Flags, offsets_px: Points) -> Plane:
    """The outermost of the offsets (k,) at which flags (n, k) are set, (n,); the innermost where none is."""
    last = flags.shape[1] - 1 - np.argmax(flags[:, ::-1], axis=1)
    return offsets_px[np.where(flags.any(axis=1), last, 0)]


def solid_up_to(shares: Plane, offsets_px: Points) -> Plane:
    """Up to which of the offsets (k,) shares (n, k) of a matte are solid from inside, (n,)."""
    thin = shares <= 0.5
    first = np.where(thin.any(axis=1), np.argmax(thin, axis=1), thin.shape[1])
    return np.asarray(offsets_px[np.maximum(first - 1, 0)])


def in_runs(flags: Flags, run_px: int, between_px: int, bridges: Flags) -> Flags:
    """Those of (n,), a closed course, that lie in runs as long, and what `bridges` (n,) a short way between two."""
    ring, over = (np.tile(each, 3).astype(np.uint8)[:, None] for each in (flags, bridges))
    closed = cv2.morphologyEx(ring, cv2.MORPH_CLOSE, np.ones((between_px, 1), np.uint8)) & (over | ring)
    run = cv2.morphologyEx(closed, cv2.MORPH_OPEN, np.ones((run_px, 1), np.uint8))
    return np.asarray(run[len(flags) : 2 * len(flags), 0] > 0)


def drawn(alpha: Plane, outline: Outline, ends_px: Plane, run: Flags, reach_px: float) -> tuple[Flags, Plane]:
    """Where the picture (h, w) is within `reach_px` of the `run` (n,) of an outline, and its alpha (h, w) there if the
    product ends at `ends_px` (n,)."""
    columns, rows = outline.pixels.T
    marked = np.ones(alpha.shape, np.uint8)
    marked[rows, columns] = 0
    distance, labels = cv2.distanceTransformWithLabels(marked, cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL)
    of_label = np.zeros(int(labels.max()) + 1, np.intp)
    of_label[labels[rows, columns]] = np.arange(len(run))
    nearest = of_label[labels]
    near = run[nearest] & (distance < reach_px)
    rows, columns = np.nonzero(near)
    points = nearest[near]
    across = ((np.stack([columns, rows], axis=1) - outline.points[points]) * outline.normals[points]).sum(axis=1)
    share = alpha.copy()
    share[near] = np.clip(ends_px[points] - across + 0.5, 0, 1)
    return near, share


def _around(course: Plane, reach: int) -> Plane:
    """A closed course (n,) or (n, k) with as many of its other end before and behind it."""
    index = np.arange(-reach, len(course) + reach) % len(course)
    return course[index]


def _normals(points: Points, away: Plane) -> Points:
    """The normals (n, 2) of a closed course (n, 2), in the direction in which `away` (h, w) grows."""
    along = np.roll(points, -_TANGENT_PX, axis=0) - np.roll(points, _TANGENT_PX, axis=0)
    normals = np.stack([along[:, 1], -along[:, 0]], axis=1)
    normals /= np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-6)
    outer, inner = (_sampled(away, (points + side * normals)[:, None]).mean() for side in (2, -2))
    return np.asarray(normals if outer > inner else -normals, np.float32)


def _sampled(picture: Plane, at: Points) -> Plane:
    """`picture` (h, w) or (h, w, 3) at points (n, k, 2)."""
    across, down = (np.ascontiguousarray(at[..., axis], np.float32) for axis in (0, 1))
    return np.asarray(cv2.remap(picture, across, down, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE))
