"""Clips as files: frames of sRGB to VP9 in MP4 and back, and the small moving picture that letters can show.

A clip says of itself that its colours are BT.709's, of limited range; who leaves that out is shown other colours by
many players. Equal frames give equal bytes: one thread encodes, and nothing of the time or of chance is written.
libvpx is BSD's; the wheel of PyAV carries x264 too, which is GPL's, and which is never asked.
"""

import io
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import cast

import av
import cv2
import numpy as np
from av.container import OutputContainer
from av.video.stream import VideoStream
from numpy.typing import NDArray
from PIL import Image

from gpu_workers.imaging.compiled import compiled
from gpu_workers.imaging.types import LUMINANCE_WEIGHTS, Code

CODEC = "libvpx-vp9"
MP4, WEBP = "video/mp4", "image/webp"
_XMP_BOX = bytes.fromhex("be7acfcb97a942e89c71999491e3afac")  # XMP specification, part 3: MPEG-4
_BT709, _LIMITED = 1, 1  # as ffmpeg numbers them: AVCOL_PRI_, AVCOL_TRC_, AVCOL_SPC_BT709, AVCOL_RANGE_MPEG
# Constant quality up to a rate: at 30 of 63 wood and walls lost their grain. Speed 5 of 8, for time.
_QUALITY = {"crf": "26", "deadline": "good", "cpu-used": "5", "row-mt": "0", "threads": "1", "lag-in-frames": "16"}
_BITS_PER_S_MAX = 2_200_000  # five seconds are 1.4 MB at most
_KR, _KG, _KB = (np.float32(share) for share in LUMINANCE_WEIGHTS)
_INDEX_BYTES = 16_384  # a clip's index has some 20 bytes a frame, and 300 frames at most
# Of a letter's picture: its longer side, how many frames a second, and libwebp's quality and effort.
_MAIL_PX, _MAIL_FPS, _MAIL_QUALITY, _MAIL_EFFORT = 360, 10, 55, 2


@dataclass(frozen=True)
class Decoded:
    """A clip read afresh: its frames (h, w, 3; uint8 sRGB) that were asked for, by their number, how many there are,
    and whether it says that its colours are BT.709's of limited range."""

    frames: Mapping[int, Code]
    count: int
    is_bt709: bool


def mp4(frames: Iterable[Code], fps: int, packet: bytes) -> bytes:
    """Frames, each as `planes` has it and all of one size, as a VP9 clip of so many a second, which says what the XMP
    `packet` says. In MP4, since C2PA signs that, and no WebM; its index lies before the frames, as players like it."""
    file = io.BytesIO()
    options = {"fflags": "+bitexact", "moov_size": str(_INDEX_BYTES)}
    with av.open(file, "w", format="mp4", options=options) as container:
        stream = None
        for number, stacked in enumerate(frames):
            stream = stream or _stream(container, stacked, fps)
            frame = av.VideoFrame.from_ndarray(stacked, format="yuv420p")
            frame.pts, frame.time_base = number, Fraction(1, fps)
            frame.colorspace, frame.color_range = _BT709, _LIMITED
            container.mux(stream.encode(frame))
        if stream is not None:
            container.mux(stream.encode(None))
    return file.getvalue() + (24 + len(packet)).to_bytes(4, "big") + b"uuid" + _XMP_BOX + packet


def read_mp4(file: bytes, wanted: Sequence[int]) -> Decoded:
    """The frames of a clip of these numbers. Raises ValueError for what is no clip."""
    try:
        with av.open(io.BytesIO(file), "r") as container:
            stream = container.streams.video[0]
            context = stream.codec_context
            if context.pix_fmt != "yuv420p":
                raise ValueError(f"no clip of ours: its pixels are {context.pix_fmt}")
            frames, count = {}, 0
            for number, frame in enumerate(container.decode(stream)):
                count = number + 1
                if number in wanted:
                    frames[number] = rgb_of(np.asarray(frame.to_ndarray(), np.uint8))
            said = (context.color_primaries, context.color_trc, context.colorspace, context.color_range)
    except (av.FFmpegError, IndexError) as error:
        raise ValueError(f"no clip: {error}") from error
    return Decoded(frames, count, tuple(map(int, said)) == (_BT709, _BT709, _BT709, _LIMITED))


def mail(pictures: Sequence[Code], fps: int, packet: bytes) -> bytes:
    """Every `mail_step`-th frame of a clip, each as `small` has it, as an animated WebP with an XMP `packet`."""
    first, *others = (Image.fromarray(picture) for picture in pictures)
    file = io.BytesIO()
    first.save(
        file,
        "WEBP",
        save_all=True,
        append_images=others,
        duration=round(1000 * mail_step(fps) / fps),
        loop=0,
        quality=_MAIL_QUALITY,
        method=_MAIL_EFFORT,
        xmp=packet,
    )
    return file.getvalue()


def mail_step(fps: int) -> int:
    """How many frames of a clip are one of a letter's picture."""
    return max(1, round(fps / _MAIL_FPS))


def small(rgb: Code) -> Code:
    """A frame (h, w, 3) as large as a letter shows it."""
    share = min(_MAIL_PX / max(rgb.shape[:2]), 1.0)
    size = (max(1, round(rgb.shape[1] * share)), max(1, round(rgb.shape[0] * share)))
    return np.asarray(cv2.resize(rgb, size, interpolation=cv2.INTER_AREA), np.uint8)


def encoder() -> str:
    """What encodes, by its name and version: another one makes other bytes."""
    return f"{CODEC}/{av.__version__}"


def planes(rgb: Code) -> Code:
    """sRGB (h, w, 3) as BT.709 of limited range: (h * 3 / 2, w) uint8, luma above, half-size chroma below.

    Chroma lies on the left of its two columns, as VP9's decoders take it.
    """
    height, width = rgb.shape[:2]
    out = np.empty((height * 3 // 2, width), np.uint8)
    chroma = np.empty((2, height // 2, width), np.float32)
    _split(rgb, out[:height], chroma)
    for part, rows in zip(chroma, (slice(height, height * 5 // 4), slice(height * 5 // 4, None)), strict=True):
        sided = cv2.filter2D(part, -1, np.array([[0.25, 0.5, 0.25]], np.float32), borderType=cv2.BORDER_REPLICATE)
        codes = np.clip(np.rint(sided[:, ::2] * np.float32(224) + np.float32(128)), 16, 240).astype(np.uint8)
        out.reshape(-1)[_span(rows, height, width)] = codes.reshape(-1)
    return out


def rgb_of(stacked: Code) -> Code:
    """What `planes` makes, back as sRGB (h, w, 3) uint8."""
    height, width = stacked.shape[0] * 2 // 3, stacked.shape[1]
    luma = (stacked[:height].astype(np.float32) - 16) / np.float32(219)
    flat = stacked.reshape(-1)
    blue, red = (
        _full(_chroma(flat[_span(rows, height, width)].reshape(height // 2, width // 2)), luma)
        for rows in (slice(height, height * 5 // 4), slice(height * 5 // 4, None))
    )
    r = luma + 2 * (1 - _KR) * red
    b = luma + 2 * (1 - _KB) * blue
    g = (luma - _KR * r - _KB * b) / _KG
    return np.asarray(np.clip(np.rint(np.dstack([r, g, b]) * 255), 0, 255), np.uint8)


def _chroma(codes: Code) -> NDArray[np.float32]:
    return np.asarray((codes.astype(np.float32) - np.float32(128)) / np.float32(224), np.float32)


def _span(rows: slice, height: int, width: int) -> slice:
    """Where a chroma plane is among all bytes: two of its rows are one of the luma's."""
    start = rows.start * width if rows.start == height else height * width * 5 // 4
    return slice(start, start + height * width // 4)


def _full(half: NDArray[np.float32], like: NDArray[np.float32]) -> NDArray[np.float32]:
    """Half-size chroma (h / 2, w / 2) at its full size, from where it lies: on the left, between the rows."""
    height, width = like.shape
    y, x = np.mgrid[:height, :width].astype(np.float32)
    at = (x / 2, (y - np.float32(0.5)) / 2)
    return np.asarray(cv2.remap(half, *at, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE), np.float32)


def _stream(container: OutputContainer, stacked: Code, fps: int) -> VideoStream:
    stream = cast(VideoStream, container.add_stream(CODEC, rate=fps, options=dict(_QUALITY)))
    context = stream.codec_context
    context.height, context.width = stacked.shape[0] * 2 // 3, stacked.shape[1]
    context.pix_fmt, context.bit_rate = "yuv420p", _BITS_PER_S_MAX
    context.color_primaries = context.color_trc = context.colorspace = _BT709
    context.color_range = _LIMITED
    return stream


# Compiled: numpy goes through a frame a dozen times for it.
@compiled("void(u1[:, :, ::1], u1[:, :], f4[:, :, ::1])")
def _split(rgb, luma, chroma):  # type: ignore[no-untyped-def]
    for y in range(luma.shape[0]):
        for x in range(luma.shape[1]):
            r, g, b = np.float32(rgb[y, x, 0]), np.float32(rgb[y, x, 1]), np.float32(rgb[y, x, 2])
            grey = (_KR * r + _KG * g + _KB * b) / np.float32(255)
            luma[y, x] = np.uint8(np.float32(16.5) + np.float32(219) * grey)
            blue = (b / np.float32(255) - grey) / (np.float32(2) * (np.float32(1) - _KB))
            red = (r / np.float32(255) - grey) / (np.float32(2) * (np.float32(1) - _KR))
            half = y // 2
            if y % 2 == 0:
                chroma[0, half, x] = blue * np.float32(0.5)
                chroma[1, half, x] = red * np.float32(0.5)
            else:
                chroma[0, half, x] += blue * np.float32(0.5)
                chroma[1, half, x] += red * np.float32(0.5)
