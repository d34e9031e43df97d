"""A product's outline where it is faint: a rim that mirrors the ground, and so has nearly its colour.

Polished metal and glaze show the ground at their rim. A matte takes the strong edge further inside, of a highlight or a
dark reflection, for the outline, and leaves a nick. Across the outline the step from ground to rim is a few code
values, lost in the noise of a pixel; along the outline it is always there. So the picture is read across the network's
outline, averaged along it, and the product begins where the ground ends.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from gpu_workers.imaging.types import Flags, Plane
from gpu_workers.operations.cutout import outlines
from gpu_workers.operations.cutout.outlines import Outline, Points


@dataclass(frozen=True)
class _Limits:
    """What a faint rim is. Set by hand, none is fitted. Differences are of code values 0..1."""

    reaches: float = 3.0  # how far out an outline is read, in the reach to which the network's is known
    beyond_px: int = 4  # and further, where there is nothing but ground
    inside_px: int = 10  # and as far in: what is not solid there is a part of its own, and no nick
    noises: float = 5.0  # of the averaged ground: a rim is further from it
    least: float = 0.012  # and three code values at least
    soft_px: float = 0.5  # from where an edge can be seen to where it is half
    depth_px_min: float = 1.5  # of a nick: less is the width of an edge
    step_px: float = 2.0  # within which a rim begins: what is out of focus, and a shadow, takes longer
    step_min: float = 0.024  # how far it is from the ground then: twice what is seen at all
    step_max: float = 0.16  # further off no solver mistakes it
    step_share_min: float = 0.45  # of what it rises to as far in again: the foot of a soft edge, a Gaussian's, has less
    seen_share_min: float = 0.6  # of a nick's depth differs from the ground
    jump_px_max: float = 1.5  # further from those beside it no outline ends
    beside_px: int = 31  # of an outline, the window for that
    down_max: float = 0.35  # of a normal: below a product there is its shadow
    run_px: int = 12  # a shorter nick is a product's own
    between_px: int = 32  # as far between two that are seen is nicked, too: there the rim has the ground's own colour


_FAINT = _Limits()


@dataclass(frozen=True)
class _Read:
    """A picture read across n points of an outline, at `offsets_px` (k,): how far it is `off` (n, k) the ground, where
    the ground `ends_px` (n,), and up to where a matte is `solid_px` (n,)."""

    offsets_px: Points
    off: Plane
    ends_px: Plane
    solid_px: Plane

    def off_within(self, steps: int) -> Plane:
        """How far (n,) the picture is from the ground so many steps within where that ends."""
        inside = self.ends_px - steps * _FAINT.step_px - self.offsets_px[0]
        index = np.clip(np.round(inside / outlines.SPACING_PX), 0, len(self.offsets_px) - 1).astype(np.intp)
        return np.asarray(self.off[np.arange(len(index)), index])


def filled(rgb: Plane, ground: Plane, found: Sequence[Outline], alpha: Plane, reach_px: float) -> Plane:
    """`alpha` (h, w) of the picture (h, w, 3) before a plain `ground` (h, w, 3), its nicks at faint rims filled.

    All are 0..1, colours as code values. `found` are the outlines of the network's mask, known to `reach_px`.
    """
    for outline in found:
        outside_px = round(_FAINT.reaches * reach_px) + _FAINT.beyond_px
        offsets_px = outlines.offsets(_FAINT.inside_px, outside_px)
        read = _read(outline, rgb - ground, alpha, offsets_px)
        nicked = _is_nick(read) & outline.is_clear(offsets_px) & (outline.normals[:, 1] < _FAINT.down_max)
        alpha = _without_nicks(outline, read, nicked, alpha)
    return alpha


def _read(outline: Outline, off: Plane, alpha: Plane, offsets_px: Points) -> _Read:
    colours = outline.across(off, offsets_px)
    colours = outlines.averaged(colours.reshape(len(colours), -1)).reshape(colours.shape)
    ground = offsets_px > offsets_px[-1] - _FAINT.beyond_px
    differences = np.abs(colours - colours[:, ground].mean(axis=1, keepdims=True)).max(axis=2)
    noise = float(np.median(differences[:, ground].max(axis=1)))
    seen = differences > max(_FAINT.noises * noise, _FAINT.least)
    solid_px = outlines.solid_up_to(outline.across(alpha, offsets_px), offsets_px)
    return _Read(offsets_px, differences, outlines.outermost(seen, offsets_px), solid_px)


def _is_nick(read: _Read) -> Flags:
    """Where (n,) a matte begins well within the rim, and that begins in a step, and is a faint one."""
    begun, step, further = (read.off_within(steps) for steps in (0, 1, 2))
    between = (read.offsets_px > read.solid_px[:, None]) & (read.offsets_px < read.ends_px[:, None])
    seen = ((read.off > _FAINT.least) & between).sum(axis=1) / np.maximum(between.sum(axis=1), 1)
    aside_px = np.abs(read.ends_px - outlines.median(read.ends_px, _FAINT.beside_px))
    return np.asarray(
        (read.ends_px < read.offsets_px[-1] - _FAINT.beyond_px)
        & (read.solid_px > read.offsets_px[0])
        & (read.ends_px - read.solid_px > _FAINT.depth_px_min)
        & (step > _FAINT.step_min)
        & (step < _FAINT.step_max)
        & (step - begun > _FAINT.step_share_min * (further - begun))
        & (seen > _FAINT.seen_share_min)
        & (aside_px < _FAINT.jump_px_max)
    )


def _without_nicks(outline: Outline, read: _Read, nicked: Flags, alpha: Plane) -> Plane:
    run = outlines.in_runs(nicked, _FAINT.run_px, _FAINT.between_px, read.off_within(1) < _FAINT.step_max)
    if not run.any():
        return alpha
    index = np.arange(len(run))
    rim_px = np.interp(index, index[nicked], read.ends_px[nicked], period=len(run)) - _FAINT.soft_px
    ends_px = outlines.averaged(np.where(run, rim_px, read.solid_px).astype(np.float32))
    near, share = outlines.drawn(alpha, outline, ends_px, run, read.offsets_px[-1])
    near &= outline.away > -_FAINT.inside_px
    return np.where(near, np.maximum(alpha, share), alpha)
