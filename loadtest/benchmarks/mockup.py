"""What a mockup of 2 MP costs a core in CPU seconds: `python -m loadtest.benchmarks.mockup [FOLDER OF SCENES]`."""

import json
import statistics
import sys
import time
from pathlib import Path

import numpy as np
from PIL import Image

from gpu_workers.library.scenes import find, load, shipped_folder
from gpu_workers.operations.mockup.mockup import mockup
from gpu_workers.operations.mockup.scene_placing import Product
from schemas import channels
from schemas.operations.mockup import MockupParameters

CATALOGUE = Path(__file__).parents[1] / "rendering" / "catalogue"
PRODUCT = "BTL-OLIVE-500-studio"
SIZE = MockupParameters(output_size="1414x1414")
REPEATS = 5


def main() -> None:
    """One line a scene: with its layers to be decoded, and with them at hand (the median of five)."""
    folders = find(Path(sys.argv[1]) if len(sys.argv) > 1 else shipped_folder())
    product = sample()
    print(f"{'scene':20} {'decoded anew':>13} {'at hand':>13}")
    for name, folder in folders.items():
        scene = load(folder)
        times_s = []
        for _ in range(1 + REPEATS):
            start_s = time.process_time()
            mockup([product], scene, channels.load("instagram"), SIZE)
            times_s.append(time.process_time() - start_s)
        print(f"{name:20} {times_s[0]:11.2f} s {statistics.median(times_s[1:]):11.2f} s")


def sample() -> Product:
    """A photograph of the sample catalogue with its true alpha."""
    photograph = np.asarray(Image.open(CATALOGUE / "photographs" / f"{PRODUCT}.jpg").convert("RGB"))
    alpha = np.asarray(Image.open(CATALOGUE / "truth" / f"{PRODUCT}.png").convert("L"))
    truth = json.loads((CATALOGUE / "truth" / "truth.json").read_text())
    return Product(np.dstack([photograph, alpha]), float(truth[PRODUCT]["height_cm"]))


if __name__ == "__main__":
    main()
