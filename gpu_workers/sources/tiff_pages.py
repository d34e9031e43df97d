"""Which of a TIFF's pages is the picture, and what its samples are beside colours.

A page may be a thumbnail of another one (NewSubfileType, TIFF 6.0, 8), the picture lie in a SubIFD (TIFF/EP, DNG), or
all of it be a camera's raw file under TIFF's name.
"""

from dataclasses import dataclass

from gpu_workers.imaging.containers import tiff
from gpu_workers.imaging.containers.tiff import Directory
from gpu_workers.sources.errors import CorruptPicture, UnreadPicture

_REDUCED, _MASK = 1, 4  # bits of NewSubfileType
_OLD_REDUCED = 2
_CFA, _LINEAR_RAW = 32803, 34892  # PhotometricInterpretation of raw samples
_RAW_BY_MAKE = {b"NIKON": "NEF", b"SONY": "ARW", b"PENTAX": "PEF", b"SAMSUNG": "SRW", b"HASSELBLAD": "3FR"}
_THUMBNAIL_PX_MAX = 640  # long side of a first page that does not say that it is one
_THUMBNAIL_RATIO = 2
_ASPECT_OFF = 0.05
_SAMPLE_KINDS = {1: "whole numbers", 2: "whole numbers with a sign", 3: "floating-point numbers", 5: "complex integers"}
_WHOLE = (1, 4)  # SampleFormat: whole numbers, or nothing said
_BITS_MAX = 16
_ASSOCIATED, _STRAIGHT = 1, 2
_LAB = 8


@dataclass(frozen=True)
class Page:
    """A picture in a TIFF: its place, as libvips counts (`sub_ifd` -1 for the page itself), and its directory."""

    index: int
    sub_ifd: int
    directory: Directory

    @property
    def size_px(self) -> tuple[int, int]:
        """Width and height."""
        return self.directory.number(tiff.WIDTH), self.directory.number(tiff.HEIGHT)

    @property
    def extras(self) -> tuple[int, ...]:
        """What the samples beside colours are, as TIFF numbers it; () where it does not say."""
        return self.directory.numbers(tiff.EXTRA_SAMPLES)

    @property
    def alpha(self) -> int | None:
        """Which of the extra samples is alpha; those that say nothing of themselves are selections that were saved."""
        return next((index for index, kind in enumerate(self.extras) if kind in (_ASSOCIATED, _STRAIGHT)), None)

    @property
    def is_packed_lab(self) -> bool:
        """Whether it is L*a*b* of 8 bits and nothing else, which libvips takes for a format of its own."""
        return self.directory.number(tiff.PHOTOMETRIC) == _LAB and self.directory.numbers(tiff.BITS) == (8, 8, 8)


def page_of(data: bytes, uri: str) -> Page:
    """The full-size picture in a TIFF. Raises CorruptPicture for none, UnreadPicture for raw and odd samples."""
    pages = [Page(index, -1, each) for index, each in enumerate(tiff.pages(data))]
    below = [
        Page(page.index, index, each)
        for page in pages
        for index, each in enumerate(tiff.below(page.directory, tiff.SUB_IFDS))
    ]
    _refuse_raw([*pages, *below], uri)
    page = _full_size(pages, below)
    if page is None:
        raise CorruptPicture(uri, "a TIFF without a picture")
    _refuse_samples(page.directory, uri)
    return page


def _refuse_raw(pages: list[Page], uri: str) -> None:
    if not pages:
        return
    first = pages[0].directory
    if first.number(tiff.DNG_VERSION) or tiff.DNG_VERSION in first.entries:
        raise UnreadPicture(uri, "a DNG, a camera's raw file; a developed picture is needed")
    if any(each.directory.number(tiff.PHOTOMETRIC, -1) in (_CFA, _LINEAR_RAW) for each in pages):
        make = first.bytes_of(tiff.MAKE).upper()
        kind = next((name for start, name in _RAW_BY_MAKE.items() if make.startswith(start)), "raw TIFF")
        raise UnreadPicture(uri, f"a {kind}, a camera's raw file; a developed picture is needed")


def _full_size(pages: list[Page], below: list[Page]) -> Page | None:
    full = [page for page in pages if not _is_reduced(page)]
    beneath = [page for page in below if not _is_reduced(page)]
    if not full:
        return max([*beneath, *pages], key=_pixels, default=None)
    first = full[0]
    larger = [each for each in [*full[1:], *beneath] if _may_be_the_thumbnail_of(first, each)]
    return max(larger, key=_pixels, default=first)


def _is_reduced(page: Page) -> bool:
    kind = page.directory.number(tiff.SUBFILE_TYPE)
    return bool(kind & (_REDUCED | _MASK)) or page.directory.number(tiff.OLD_SUBFILE_TYPE) == _OLD_REDUCED


def _may_be_the_thumbnail_of(page: Page, other: Page) -> bool:
    (width, height), (other_width, other_height) = page.size_px, other.size_px
    if not width or not height or not other_height or max(width, height) > _THUMBNAIL_PX_MAX:
        return False
    same_aspect = abs((width / height) / (other_width / other_height) - 1) <= _ASPECT_OFF if other_width else False
    return same_aspect and other_width >= _THUMBNAIL_RATIO * width


def _pixels(page: Page) -> int:
    width, height = page.size_px
    return width * height


def _refuse_samples(directory: Directory, uri: str) -> None:
    bits, kind = directory.number(tiff.BITS, 1), directory.number(tiff.SAMPLE_FORMAT, 1)
    if bits > _BITS_MAX or kind not in _WHOLE:
        named = _SAMPLE_KINDS.get(kind, "an unknown kind")
        raise UnreadPicture(uri, f"samples of {bits} bits, {named}, are not read, only whole ones of up to 16 are")
