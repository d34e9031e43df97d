"""Where a plain sweep shows: between the wires of a net or a grid, and right beside any product."""

import numpy as np
import pytest
from numpy.typing import NDArray

from gpu_workers.operations.cutout.gaps import FLECKS, GAPS, open_gaps, without_flecks
from gpu_workers.operations.cutout.sweep import bare

NOISE = 0.002
SLIVER, LABEL, BESIDE = np.s_[60:63, 130:134], np.s_[110:150, 110:150], np.s_[12:20, 40:160]


def grid(meshes: int) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.bool_]]:
    """A dark grid's contrast with its sweep, what is known of it, and its gaps, (200, 200) each.

    Between its wires are a sliver too, too small for a gap, and a label as light as the sweep; the mask is unsure
    beside it.
    """
    contrast, known = np.zeros((200, 200), np.float32), np.zeros((200, 200), np.float32)
    contrast[20:180, 20:180], known[20:180, 20:180] = 0.8, 1
    known[BESIDE] = 0.5
    gaps = np.zeros((200, 200), np.bool_)
    for mesh in range(meshes):
        top, left = 25 + mesh // 3 * 30, 25 + mesh % 3 * 25
        gaps[top : top + 20, left : left + 20] = True
    contrast[gaps], contrast[SLIVER], contrast[LABEL] = 0, 0.01, 0.005
    return contrast, known, gaps


@pytest.mark.parametrize(("meshes", "opened"), [(GAPS.meshes_min, True), (GAPS.meshes_min - 1, False)])
def test_between_wires_and_beside_them_the_sweep_is_seen(meshes: int, opened: bool) -> None:
    contrast, known, gaps = grid(meshes)
    found, mask = open_gaps(known, np.ones_like(known), gaps, contrast, NOISE)
    assert (found[gaps] == 0).all()
    for place in (SLIVER, BESIDE):
        assert (found[place] == 0).all() == opened
        assert (mask[place] < 0.1).all() == opened


def test_a_label_on_a_grid_is_no_gap() -> None:
    contrast, known, gaps = grid(GAPS.meshes_min)
    found, mask = open_gaps(known, np.ones_like(known), gaps, contrast, NOISE)
    assert (found[LABEL] == 1).all()
    assert (mask[LABEL] == 1).all()


@pytest.mark.parametrize(("product", "cleared"), [(0.8, True), (0.05, False)], ids=["dark", "white on white"])
def test_what_shows_the_sweep_beside_a_product_is_sweep(product: float, cleared: bool) -> None:
    contrast, known = np.zeros((60, 60), np.float32), np.zeros((60, 60), np.float32)
    contrast[20:, :], known[26:, :], known[14:26, :] = product, 1, 0.5
    assert bare(known, contrast, NOISE)[16:20].all() == cleared
    assert not bare(known, contrast, NOISE)[20:].any()


def test_what_looks_like_the_sweep_within_a_product_is_left_to_the_mask() -> None:
    contrast, known = np.full((60, 60), 0.8, np.float32), np.ones((60, 60), np.float32)
    contrast[:10], known[:10] = 0, 0
    contrast[30:33, 30:34], known[28:35, 28:36] = 0, 0.5
    assert not bare(known, contrast, NOISE).any()


@pytest.mark.parametrize("off_px", [GAPS.mixed_px, GAPS.mixed_px + 2])
def test_a_highlight_along_a_wire_stays_known_unless_it_is_where_the_lens_mixes(off_px: int) -> None:
    contrast, known, gaps = grid(GAPS.meshes_min)
    wire = np.s_[45 + off_px - 1, 50:60]  # below a gap; it is as far from black as from the sweep
    contrast[wire] = 0.4
    found, mask = open_gaps(known, np.ones_like(known), gaps, contrast, NOISE)
    assert (found[wire] == (1 if off_px > GAPS.mixed_px else 0.5)).all()
    assert (mask[wire] == 1).all() == (off_px > GAPS.mixed_px)


@pytest.mark.parametrize(
    ("side_px", "contrast", "is_left"),
    [(2, 0.05, False), (2, 0.4, True), (FLECKS.wide_px + 1, 0.05, True)],
    ids=["a fleck", "a strand", "a white label"],
)
def test_a_scrap_of_the_sweep_beside_an_outline_goes(side_px: int, contrast: float, is_left: bool) -> None:
    alpha, far = np.zeros((60, 60), np.float32), np.zeros((60, 60), np.float32)
    alpha[30:], far[30:] = 1, 0.8
    scrap = np.s_[30 - side_px : 30, 20 : 20 + side_px]
    alpha[scrap], far[scrap] = 1, contrast
    cleaned = without_flecks(alpha, far)
    assert (cleaned[scrap] == 1).all() == is_left
    assert is_left or (cleaned[scrap] <= contrast / 0.8 + 1e-6).all()
    assert (cleaned[30:] == 1).all()
