"""A network that enlarges, tile by tile."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from gpu_workers.engines.base import Engine
from gpu_workers.models.contract import tensor_of
from gpu_workers.models.manifest import Input
from gpu_workers.operations.upscale.errors import BadTiles

Enlarge = Callable[[NDArray[np.uint8]], NDArray[np.uint8]]

TILE_PX = 256  # what networks that enlarge take
OVERLAP_PX = 16  # of a tile's sides, which see too little of what is about them; set by hand


def enlarge_with(engine: Engine, takes: Input) -> Enlarge:
    """The `enlarge` that is an engine's model: it `takes` tiles of TILE_PX, and answers RGB 0..1. Raises BadTiles."""
    if engine.input_shape != (3, TILE_PX, TILE_PX):
        raise BadTiles(f"{engine.name} takes {engine.input_shape}, not RGB tiles of {TILE_PX} px")

    def enlarge(tile: NDArray[np.uint8]) -> NDArray[np.uint8]:
        large = np.clip(engine.infer(tensor_of(tile, takes)[None])[0], 0, 1) * 255 + 0.5
        return np.ascontiguousarray(large.astype(np.uint8).transpose(1, 2, 0))

    return enlarge


def tile_row(rgb: NDArray[np.uint8], index: int, enlarge: Enlarge) -> NDArray[np.uint8]:
    """A row of the tiles that make the picture, mirrored beyond its edges; of each only the middle is kept."""
    inner = TILE_PX - 2 * OVERLAP_PX
    pads = [(OVERLAP_PX, -side % inner + OVERLAP_PX) for side in rgb.shape[:2]]
    ys, xs = (np.pad(np.arange(side), pad, mode="symmetric") for side, pad in zip(rgb.shape, pads, strict=False))
    wider = rgb[ys[index * inner : index * inner + TILE_PX]][:, xs]
    tiles = [_middle(wider[:, x : x + TILE_PX], enlarge) for x in range(0, rgb.shape[1], inner)]
    times = len(tiles[0]) // inner
    kept = (min(inner, len(rgb) - index * inner) * times, rgb.shape[1] * times)
    return np.concatenate(tiles, axis=1)[: kept[0], : kept[1]]


def _middle(tile: NDArray[np.uint8], enlarge: Enlarge) -> NDArray[np.uint8]:
    large = enlarge(np.ascontiguousarray(tile))
    times = large.shape[0] // TILE_PX if large.ndim == 3 else 0
    if large.dtype != np.uint8 or times < 2 or large.shape != (TILE_PX * times, TILE_PX * times, 3):
        raise BadTiles(f"for a tile {tile.shape} it answers {large.shape} of {large.dtype}, not uint8 k times as large")
    kept = slice(OVERLAP_PX * times, (TILE_PX - OVERLAP_PX) * times)
    return large[kept, kept]
