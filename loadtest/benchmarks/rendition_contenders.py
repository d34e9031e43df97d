"""What makes renditions beside each other: ours, Pillow as a good user writes it, and thumbor's server."""

import http.client
import io
import os
import socket
import subprocess
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import psutil
from PIL import Image

from streams.publishing.renditions import EXTENSIONS, render

THUMBOR = Path(__file__).parents[2] / ".venv-thumbor" / "bin" / "thumbor"
GAP = 2.0  # of Pillow's own thumbnail(): so much is left to LANCZOS
TIMEOUT_S = 30.0
CONFIGURATION = """
LOADER = "thumbor.loaders.file_loader"
FILE_LOADER_ROOT_PATH = {folder!r}
STORAGE = "thumbor.storages.no_storage"
MAX_WIDTH = MAX_HEIGHT = 0
"""

Made = dict[tuple[int, str], bytes]  # by width and media type
Qualities = Mapping[str, int]


@dataclass(frozen=True, eq=False)
class Source:
    """A picture's file, and its size."""

    path: Path
    data: bytes
    media_type: str
    width_px: int
    height_px: int

    def widths(self, widths_px: Sequence[int]) -> list[int]:
        """Those of `widths_px` that do not enlarge it, and its own in place of the others."""
        return sorted({min(width_px, self.width_px) for width_px in widths_px})


class Contender(Protocol):
    """Makes renditions."""

    name: str

    def make(self, source: Source, widths_px: Sequence[int], formats: Sequence[str], qualities: Qualities) -> Made:
        """A rendition of each width in each format."""

    def cpu_s(self) -> float:
        """The processor time that it ever took."""


class Ours:
    """As the publisher makes them; the qualities are its own."""

    name = "ours"

    def make(self, source: Source, widths_px: Sequence[int], formats: Sequence[str], qualities: Qualities) -> Made:  # noqa: ARG002
        """See Contender.make."""
        made = render(source.data, source.media_type, widths_px=widths_px, formats=formats)
        return {(one.width_px, one.media_type): one.data for one in made}

    def cpu_s(self) -> float:
        """See Contender.cpu_s."""
        return time.process_time()


@dataclass
class Pillow:
    """As Pillow's documentation would have it. `efforts` are further arguments of `save`, by media type."""

    name: str
    efforts: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    def make(self, source: Source, widths_px: Sequence[int], formats: Sequence[str], qualities: Qualities) -> Made:
        """See Contender.make."""
        widths = source.widths(widths_px)
        picture = Image.open(io.BytesIO(source.data))
        icc_profile = picture.info.get("icc_profile")
        picture.draft(None, (round(GAP * widths[-1]), 1))
        premultiplied = picture.convert("RGBa") if picture.mode == "RGBA" else picture
        made: Made = {}
        for width in widths:
            size = (width, round(source.height_px * width / source.width_px))
            small = premultiplied.resize(size, Image.Resampling.LANCZOS, reducing_gap=GAP)
            small = small.convert("RGBA") if picture.mode == "RGBA" else small
            for media_type in formats:
                options = self._options(media_type, qualities) | {"icc_profile": icc_profile}
                stream = io.BytesIO()
                small.save(stream, media_type.removeprefix("image/"), **options)
                made[width, media_type] = stream.getvalue()
        return made

    def _options(self, media_type: str, qualities: Qualities) -> dict[str, Any]:
        options: dict[str, Any] = {} if media_type == "image/png" else {"quality": qualities[media_type]}
        if media_type == "image/jpeg":
            options |= {"optimize": True, "progressive": True}
        if media_type == "image/avif":
            options |= {"max_threads": 1}
        return options | dict(self.efforts.get(media_type, {}))

    def cpu_s(self) -> float:
        """See Contender.cpu_s."""
        return time.process_time()


class Thumbor:
    """The server as it comes; a request for each rendition. It lives as long as its `with` block."""

    name = "thumbor"

    def __init__(self, folder: Path) -> None:
        self._port = _free_port()
        configuration = folder / "thumbor.conf"
        configuration.write_text(CONFIGURATION.format(folder=str(folder)))
        address = ["--ip", "127.0.0.1", "--port", str(self._port)]
        command = [str(THUMBOR), *address, "--conf", str(configuration), "-l", "error"]
        self._server = subprocess.Popen(
            command, env=os.environ | {"PYTHONWARNINGS": "ignore"}, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        self._client = http.client.HTTPConnection("127.0.0.1", self._port)

    def __enter__(self) -> "Thumbor":
        deadline_s = time.monotonic() + TIMEOUT_S
        while True:
            assert self._server.poll() is None, "thumbor has ended"
            assert time.monotonic() < deadline_s, "waited in vain for thumbor"
            with suppress(OSError), socket.create_connection(("127.0.0.1", self._port), 1):
                return self
            time.sleep(0.1)

    def __exit__(self, *_: object) -> None:
        self._client.close()
        self._server.terminate()
        self._server.wait()

    def make(self, source: Source, widths_px: Sequence[int], formats: Sequence[str], qualities: Qualities) -> Made:
        """See Contender.make."""
        wanted = [(width, media_type) for width in source.widths(widths_px) for media_type in formats]
        return {(width, kind): self._get(source, width, kind, qualities.get(kind, 100)) for width, kind in wanted}

    def _get(self, source: Source, width_px: int, media_type: str, quality: int) -> bytes:
        filters = f"filters:format({EXTENSIONS[media_type]}):quality({quality})"
        self._client.request("GET", f"/unsafe/{width_px}x0/{filters}/{source.path.name}")
        answer = self._client.getresponse()
        body = answer.read()
        assert answer.status == 200, body[:500]
        assert answer.headers["Content-Type"] == media_type, answer.headers["Content-Type"]
        return body

    def cpu_s(self) -> float:
        """See Contender.cpu_s."""
        return sum(psutil.Process(self._server.pid).cpu_times()[:2])


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
