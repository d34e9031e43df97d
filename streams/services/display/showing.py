"""Pictures as pages show them: small ones, whole ones that every browser knows, and what a cutout left out.

Who may see which is decided by whoever asks; here a picture is a digest, a key of the origin, or an address.
"""

import io
import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from schemas.records import Source, TaskCompleted
from streams.blobs import Blobs, NotFound, open_store
from streams.facts import Facts
from streams.runtime.errors import Refused
from streams.runtime.settings import Settings
from streams.services.display.contact_sheet import thumbnail

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

SHOWN = frozenset({"image/jpeg", "image/png", "image/webp", "image/avif"})  # what every browser of today shows
WHOLE_PIXELS_MAX = 16_000_000  # of a source that is shown whole
KEPT_BYTES_MAX = 96 * 1024 * 1024  # of pictures that were made small, or had to be fetched
SMALL_QUALITY, WHOLE_QUALITY = 82, 92
LEFT_OUT = (214, 54, 92)  # what the cutout left out is tinted with it, and its edge shown in EDGE
EDGE = (0, 174, 239)
GREY = 0.62  # of what was left out: so much of it is its own brightness, the rest the tint
SAME_SHAPE = 0.01  # of width to height: less is rounding


@dataclass(frozen=True)
class Shown:
    """A picture's bytes, and what they are."""

    data: bytes
    media_type: str


class Showing:
    """The pictures of one installation; what was made for a page is kept for a while. Thread-safe."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self.blobs = Blobs(open_store(settings.blobs, s3_endpoint=settings.s3_endpoint))
        self._origin = open_store(settings.origin, s3_endpoint=settings.s3_endpoint)
        self._kept: OrderedDict[tuple[str, ...], Shown] = OrderedDict()
        self._making: dict[tuple[str, ...], threading.Lock] = {}
        self._lock = threading.Lock()

    def blob(self, digest: str, media_type: str) -> Shown:
        """A picture in the blob store. Raises Refused where it is gone."""
        return self._known(("blob", digest), lambda: shown(self._blob(digest), media_type))

    def live(self, key: str, media_type: str) -> Shown:
        """A file of the origin. Raises Refused where it is gone."""
        return self._known(("live", key), lambda: shown(self._live(key), media_type))

    def source(self, source: Source, pixels_max: int = WHOLE_PIXELS_MAX) -> Shown:
        """A photograph of no more pixels, by the rules by which workers fetch theirs. Raises Refused."""
        name = ("source", source.uri, source.sha256 or "", str(pixels_max))
        return self._known(name, lambda: encoded(self._photograph(source, pixels_max)))

    def left_out(self, photograph: Callable[[], Shown], cutout: str) -> Shown:
        """A photograph with what its cutout leaves out tinted, and with the edge marked. Raises Refused."""
        return self._known(("left out", cutout), lambda: encoded(_marked(photograph().data, self._blob(cutout))))

    def drawn(self, name: str, make: Callable[[], Shown]) -> Shown:
        """What is drawn for a page; it is looked up as `name` first. Raises what `make` raises."""
        return self._known(("drawn", name), make)

    def small(self, name: str, whole: Callable[[], Shown], size_px: int) -> Shown:
        """A picture with no side longer than `size_px`; it is looked up as `name` first. Raises Refused."""
        return self._known(("small", name, str(size_px)), lambda: _small(whole(), size_px))

    def _known(self, name: tuple[str, ...], make: Callable[[], Shown]) -> Shown:
        """What is called so; who asks while another makes it waits for that."""
        kept, turn = self._look(name)
        if kept is not None:
            return kept
        with turn:
            kept, _ = self._look(name)
            try:
                return kept or self._keep(name, make())
            finally:
                with self._lock:
                    self._making.pop(name, None)

    def _look(self, name: tuple[str, ...]) -> tuple[Shown | None, threading.Lock]:
        with self._lock:
            if name in self._kept:
                self._kept.move_to_end(name)
                return self._kept[name], threading.Lock()
            return None, self._making.setdefault(name, threading.Lock())

    def _keep(self, name: tuple[str, ...], made: Shown) -> Shown:
        with self._lock:
            self._kept[name] = made
            while sum(len(each.data) for each in self._kept.values()) > KEPT_BYTES_MAX and len(self._kept) > 1:
                self._kept.popitem(last=False)
        return made

    def _blob(self, digest: str) -> bytes:
        try:
            return self.blobs.get(digest)
        except NotFound as error:
            raise Refused("picture_gone", f"the picture {digest} is gone", field="picture") from error

    def _live(self, key: str) -> bytes:
        try:
            return self._origin.get(key).data
        except NotFound as error:
            raise Refused("picture_gone", f"{key} is gone from the origin", field="picture") from error

    def _photograph(self, source: Source, pixels_max: int) -> "NDArray[np.uint8]":
        from gpu_workers.imaging.linear_light import eight_bit
        from gpu_workers.pools.limits import fetch_limits
        from gpu_workers.sources.decoding import DecodeLimits, decode
        from gpu_workers.sources.fetch import SourceError, fetch
        from streams.services.operating.roles import s3_client

        settings = self._settings
        limits = DecodeLimits(pixels_max=settings.source_max_pixels, kept_pixels_max=pixels_max)
        try:
            fetched = fetch(source.uri, fetch_limits(settings), sha256=source.sha256, s3=s3_client(settings))
            return eight_bit(decode(fetched.data, limits, source.uri).pixels)
        except SourceError as error:
            raise Refused.because(error) from error


def source_of(completed: TaskCompleted, facts: Facts) -> Source | None:
    """The main photograph that a picture was made of: that of its cutout's task. None where it is not known."""
    task = completed.task
    if task.source is not None or not task.inputs:
        return task.source
    before = [each.record for each in facts.tasks.of(task.tenant, task.sku, task.version)]
    made = {blob.digest: each.task for each in before if isinstance(each, TaskCompleted) for blob in each.outputs}
    for blob in task.inputs:
        if blob.digest in made and made[blob.digest].source is not None:
            return made[blob.digest].source
    return None


def shown(data: bytes, media_type: str) -> Shown:
    """A file of any type that we write, as one that browsers show. Raises Refused where it cannot be read."""
    if media_type in SHOWN:
        return Shown(data, media_type)
    picture = thumbnail(data, 4096)
    if picture is None:
        raise Refused("picture_unreadable", f"a picture of type {media_type} cannot be shown", field="picture")
    written = io.BytesIO()
    picture.save(written, "PNG")
    return Shown(written.getvalue(), "image/png")


def _small(whole: Shown, size_px: int) -> Shown:
    picture = thumbnail(whole.data, size_px)
    if picture is None:
        raise Refused("picture_unreadable", "the picture cannot be read", field="picture")
    written = io.BytesIO()
    picture.save(written, "WEBP", quality=SMALL_QUALITY, method=2)
    return Shown(written.getvalue(), "image/webp")


def encoded(pixels: "NDArray[np.uint8]") -> Shown:
    """Pixels (h, w, 3), or (h, w, 4) with straight alpha, as a file that browsers show."""
    from PIL import Image

    written = io.BytesIO()
    picture = Image.fromarray(pixels)
    if picture.mode == "RGBA":
        picture.save(written, "WEBP", quality=WHOLE_QUALITY, method=2)
        return Shown(written.getvalue(), "image/webp")
    picture.save(written, "JPEG", quality=WHOLE_QUALITY, subsampling=0)
    return Shown(written.getvalue(), "image/jpeg")


def _marked(photograph: bytes, cutout: bytes) -> "NDArray[np.uint8]":
    """(h, w, 3), uint8, as large as the photograph; a cutout of another shape, as of a straightened one, lies on
    its own ground."""
    import cv2
    import numpy as np
    from PIL import Image

    with Image.open(io.BytesIO(photograph)) as opened, Image.open(io.BytesIO(cutout)) as cut:
        is_alike = abs(opened.width / opened.height - cut.width / cut.height) < SAME_SHAPE
        whole = cut.convert("RGBA")
        whole = whole.resize(opened.size) if is_alike and whole.size != opened.size else whole
        ground = np.asarray(opened.convert("RGB") if is_alike else whole.convert("RGB"))
    alpha = np.asarray(whole.getchannel("A"))
    share = np.arange(256, dtype=np.float32) / 255
    edge = 4 * share * (1 - share)  # 1 where a pixel is half of the product, 0 where it is all or none of it
    tint = np.array([[GREY / 3] * 3 + [(1 - GREY) * code] for code in LEFT_OUT])
    shown = cv2.blendLinear(ground, cv2.transform(ground, tint), share[alpha], 1 - share[alpha])
    return np.asarray(cv2.blendLinear(shown, np.full_like(ground, EDGE), 1 - edge[alpha], edge[alpha]), np.uint8)
