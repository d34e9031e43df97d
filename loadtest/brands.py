"""Makes the brands that ship, of the sample catalogue: `python -m loadtest.brands`.

Each is learned from 42 pictures: packshots on the brand's ground with its shadow and margins, two of each product, and
the photographs in use under the brand's look. Their digests are of the pixels.
"""

import hashlib
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from gpu_workers.imaging.linear_light import eight_bit
from gpu_workers.imaging.lut import preset
from gpu_workers.library import brands
from gpu_workers.operations.packshot.packshot import packshot
from gpu_workers.operations.style.brand_learning import Example, learn
from schemas import channels
from schemas.channels import Size
from schemas.operations.packshot import PackshotParameters

CATALOGUE = Path(__file__).parent / "rendering" / "catalogue"


@dataclass(frozen=True)
class Plan:
    """What a brand's pictures are made with."""

    look: str
    background: str
    shadow: str
    padding: str

    def examples(self) -> Iterator[Example]:
        """The brand's pictures."""
        lut = preset(self.look)
        for name in photographs():
            rgb, alpha = read(name)
            yield _example(*self.packshot(rgb, alpha))
            if name.endswith("-busy"):
                yield _example(lut.applied(rgb, np.ones(alpha.shape, np.float32)).astype(np.uint8), alpha)

    def packshot(self, rgb: NDArray[np.uint8], alpha: NDArray[np.uint8]) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
        """A picture on the brand's ground, and where the product is in it."""
        channel = msgspec.structs.replace(channels.load("instagram"), canvas=Size(600, 600))
        texts = {"background.color": self.background, "shadow.mode": self.shadow, "padding": self.padding}
        made = packshot(np.dstack([rgb, alpha]), channel, PackshotParameters.parse(texts))
        return eight_bit(made.canvas), made.mask


PLANS = {
    "warm-minimal": Plan("warm", "#EFE7DB", "soft", "0.14"),
    "cool-studio": Plan("cool", "#E8ECEF", "contact", "0.09"),
    "earthy": Plan("earthy", "#D6C7B2", "soft", "0.11"),
}


def photographs() -> list[str]:
    """The names of the sample catalogue's photographs."""
    return sorted(file.stem for file in (CATALOGUE / "photographs").glob("*.jpg"))


def read(name: str) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """A photograph (h, w, 3) and its product's true alpha (h, w), uint8."""
    rgb = np.array(Image.open(CATALOGUE / "photographs" / f"{name}.jpg").convert("RGB"))
    return rgb, np.array(Image.open(CATALOGUE / "truth" / f"{name}.png").convert("L"))


def _example(rgb: NDArray[np.uint8], alpha: NDArray[np.uint8]) -> Example:
    return Example(rgb, alpha, hashlib.sha256(rgb.tobytes()).hexdigest())


def main() -> int:
    """Writes every brand's file beside the code that reads it."""
    for name, plan in PLANS.items():
        head = f"# Learned by `python -m loadtest.brands` from pictures of the sample catalogue, look `{plan.look}`.\n"
        text = brands.dump(learn(name, plan.examples()))
        (brands.shipped_folder() / f"{name}.yaml").write_text(head + text)
        print(f"{name}: {len(text):,} characters")
    return 0


if __name__ == "__main__":
    sys.exit(main())
