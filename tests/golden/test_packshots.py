"""One small product on every channel, against pictures that a person has looked at.

`python -m tests.golden.test_packshots` paints them anew, to be looked at again.
"""

from pathlib import Path

import msgspec
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from gpu_workers.imaging.linear_light import eight_bit
from gpu_workers.operations.packshot.packshot import packshot
from schemas import channels
from tests.gpu_workers.products import mug, with_own_shadow

FOLDER = Path(__file__).parent


def rendered(name: str) -> NDArray[np.uint8]:
    """The channel's packshot of the mug and its supplier's shadow, at a fifth of the channel's size."""
    rules = channels.load(name)
    small = msgspec.structs.replace(rules, canvas=rules.canvas.shrunk(0.2), smallest=channels.Size(16, 16))
    return eight_bit(packshot(with_own_shadow(mug()), small).canvas)


@pytest.mark.parametrize("name", channels.names())
def test_looks_as_it_did(name: str) -> None:
    golden = np.asarray(Image.open(FOLDER / f"packshot-{name}.png")).astype(np.int16)
    now = rendered(name).astype(np.int16)
    assert now.shape == golden.shape
    difference = np.abs(now - golden)
    assert difference.mean() <= 0.1
    assert difference.max() <= 12


if __name__ == "__main__":
    for name in channels.names():
        Image.fromarray(rendered(name)).save(FOLDER / f"packshot-{name}.png", optimize=True)
