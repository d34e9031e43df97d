"""What the tests of mockups share."""

from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from gpu_workers.imaging.encoding import encode
from gpu_workers.library.scenes import Scene, load
from gpu_workers.operations.mockup.measures import measure
from gpu_workers.operations.mockup.mockup import Mockup, mockup
from gpu_workers.operations.mockup.scene_placing import Product
from schemas import channels
from schemas.channels import Channel, Fill, Size
from schemas.operations.mockup import MockupParameters
from tests.gpu_workers.products import mug
from tests.gpu_workers.scenes import HEIGHT, WIDTH, write_scene

Rgba = NDArray[np.uint8]


WHOLE = MockupParameters(output_size=f"{WIDTH}x{HEIGHT}", framing="context")


def scene(folder: Path, **changes: Any) -> Scene:
    return load(write_scene(folder, **changes))


def channel(**rules: object) -> Channel:
    given: dict[str, object] = {
        "canvas": Size(320, 320),
        "smallest": Size(80, 80),
        "fill": Fill(min=0.0, target=0.5, max=1.0),
        "formats": ("png",),
    }
    return msgspec.structs.replace(channels.load("instagram"), **given | rules)


def made(
    scene: Scene, parameters: MockupParameters = WHOLE, height_cm: float = 12.0, rgba: Rgba | None = None
) -> Mockup:
    return mockup([Product(mug() if rgba is None else rgba, height_cm)], scene, channel(), parameters)


def measured(picture: Mockup) -> dict[str, float]:
    return measure(encode(picture.canvas, channel()).data, picture, channel())


def with_parameters(**changes: Any) -> MockupParameters:
    return msgspec.structs.replace(WHOLE, **changes)
