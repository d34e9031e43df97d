"""A network that sees discs, and pictures that end in every way that the cutout pool has."""

import io
from collections.abc import Callable

import numpy as np
from PIL import Image, ImageDraw

from gpu_workers.engines import EngineError, Tensor
from gpu_workers.models.manifest import load_manifest
from gpu_workers.serving.batching import Batcher
from gpu_workers.serving.serving import Network

GREY, RED, BLUE, GREEN, BLACK = (225, 225, 228), (180, 60, 50), (30, 40, 250), (40, 230, 40), (0, 0, 0)


class Disc:
    """Sees a disc in every picture but a black one; a blue one is answered with nonsense, a green one breaks it."""

    name = "disc"
    fingerprint = "0" * 64
    input_shape = (3, 320, 320)
    max_batch = 4
    lanes = 1
    _is_lost = False

    def infer(self, batch: Tensor) -> Tensor:
        y, x = np.mgrid[:320, :320]
        answers = np.empty((len(batch), 1, 320, 320), np.float32)
        for answer, picture in zip(answers, batch, strict=True):
            red, green, blue = picture.mean(axis=(1, 2))
            self._is_lost |= bool(green > red + 0.5 and green > blue + 0.5)
            if self._is_lost:
                raise EngineError("the device is lost")
            answer[:] = ((x - 160) ** 2 + (y - 160) ** 2 < 90**2) * (red > -1.5)
            if blue > red + 0.5 and blue > green + 0.5:
                answer[:] = np.nan
        return answers

    def close(self) -> None: ...


def opened(*_: object) -> Network:
    engine = Disc()
    return Network(load_manifest("u2netp"), engine, Batcher(engine, max_batch=4, max_wait_ms=1))


def photograph(ground: tuple[int, int, int] = GREY, product: tuple[int, int, int] = RED, side_px: int = 200) -> bytes:
    picture = Image.new("RGB", (side_px, side_px), ground)
    ImageDraw.Draw(picture).ellipse((side_px * 0.22, side_px * 0.22, side_px * 0.78, side_px * 0.78), fill=product)
    return written(picture)


def written(picture: Image.Image, kind: str = "PNG") -> bytes:
    stream = io.BytesIO()
    picture.save(stream, kind)
    return stream.getvalue()


# Pictures that end in every way that the cutout pool has, by what it says of them.
PICTURES: dict[str, tuple[str, Callable[[], bytes]]] = {
    "good.png": ("", photograph),
    "cut.jpg": ("source_truncated", lambda: written(Image.effect_noise((300, 300), 90), "JPEG")[:4000]),
    "broken.png": ("source_corrupt", lambda: photograph().replace(b"IDAT", b"IDAX")),
    "text.png": ("source_not_an_image", lambda: b"a text"),
    "nothing.png": ("source_not_an_image", bytes),
    "small.png": ("source_too_few_pixels", lambda: photograph(side_px=40)),
    "heavy.bmp": ("source_too_large", lambda: written(Image.new("RGB", (300, 300)), "BMP")),
    "dark.png": ("no_subject", lambda: photograph(BLACK, BLACK)),
    "poison.png": ("poison_input", lambda: photograph(BLUE, BLUE)),
    "breaks.png": ("engine_failed", lambda: photograph(GREEN, GREEN)),
    "clear.png": ("no_subject", lambda: written(Image.new("RGBA", (200, 200), (9, 9, 9, 0)))),
    "missing.png": ("source_not_found", lambda: b"-"),
}
