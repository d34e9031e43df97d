"""TIFF's directories (TIFF 6.0, BigTIFF), which are EXIF's too."""

from collections.abc import Iterator
from dataclasses import dataclass, field

from gpu_workers.imaging.containers.blocks import BYTES_MAX, Blocks, iptc_in, number
from gpu_workers.imaging.icc import Primaries, Xy

SUBFILE_TYPE, OLD_SUBFILE_TYPE, WIDTH, HEIGHT, BITS, COMPRESSION, PHOTOMETRIC = 254, 255, 256, 257, 258, 259, 262
MAKE, ARTIST, EXTRA_SAMPLES, SAMPLE_FORMAT, SUB_IFDS = 271, 315, 338, 339, 330
COPYRIGHT, EXIF_IFD, INTEROPERABILITY_IFD, DNG_VERSION = 33432, 34665, 40965, 50706
COLOUR_SPACE, INTEROPERABILITY_INDEX = 40961, 1
_TRANSFER, _WHITE, _PRIMARIES, _XMP, _IPTC, _PHOTOSHOP, _ICC, _C2PA = 301, 318, 319, 700, 33723, 34377, 34675, 52545

_SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4, 16: 8, 17: 8, 18: 8}
_RATIONAL = 5
_DIRECTORIES_MAX, _SUB_DIRECTORIES_MAX = 200, 16  # all of which are read: no file may keep us for long
_ENTRIES_MAX = 256
_NUMBERS_MAX = 1 << 18


@dataclass(frozen=True)
class Directory:
    """A directory's entries: by tag, their type, their count, and where their values lie in `data`."""

    data: bytes = field(repr=False)
    little: bool
    entries: dict[int, tuple[int, int, int]]
    next_at: int = 0

    def numbers(self, tag: int) -> tuple[int, ...]:
        """The whole numbers of `tag`; () where it has none."""
        kind, count, at = self.entries.get(tag, (0, 0, 0))
        size = _SIZES.get(kind, 0)
        if not size or kind == _RATIONAL or at + count * size > len(self.data):
            return ()
        return tuple(
            number(self.data, at + each * size, size, little=self.little) for each in range(min(count, _NUMBERS_MAX))
        )

    def number(self, tag: int, default: int = 0) -> int:
        """The first whole number of `tag`."""
        return next(iter(self.numbers(tag)), default)

    def ratios(self, tag: int) -> tuple[float, ...]:
        """The fractions of `tag`, those over nothing left out."""
        kind, count, at = self.entries.get(tag, (0, 0, 0))
        if kind != _RATIONAL:
            return ()
        pairs = [at + 8 * each for each in range(min(count, 100))]
        parts = [(number(self.data, each, 4, little=self.little), each + 4) for each in pairs]
        return tuple(
            above / below for above, rest in parts if (below := number(self.data, rest, 4, little=self.little))
        )

    def bytes_of(self, tag: int) -> bytes:
        """The bytes of `tag`, up to BYTES_MAX."""
        kind, count, at = self.entries.get(tag, (0, 0, 0))
        return self.data[at : at + min(count * _SIZES.get(kind, 0), BYTES_MAX)]


def pages(data: bytes) -> list[Directory]:
    """The directories of the file's pages, in their order."""
    found: list[Directory] = []
    seen: set[int] = set()
    at = _first(data)
    while at and at not in seen and len(found) < _DIRECTORIES_MAX:
        seen.add(at)
        found.append(directory(data, at))
        at = found[-1].next_at
    return found


def below(parent: Directory, tag: int) -> list[Directory]:
    """The directories that a tag of `parent` points to."""
    return [directory(parent.data, at) for at in parent.numbers(tag)[:_SUB_DIRECTORIES_MAX]]


def directory(data: bytes, at: int) -> Directory:
    """The directory at `at`; an empty one where there is none."""
    little, big = data[:2] == b"II", number(data, 2, 2, little=data[:2] == b"II") == 43
    head, step, wide = (8, 20, 8) if big else (2, 12, 4)
    entries = {}
    count = number(data, at, head, little=little)
    for each in range(min(count, _ENTRIES_MAX)):
        entry = at + head + each * step
        if entry + step > len(data):
            break
        tag, kind = number(data, entry, 2, little=little), number(data, entry + 2, 2, little=little)
        values = number(data, entry + 4, wide, little=little)
        place = entry + 4 + wide
        fits = values * _SIZES.get(kind, 1) <= wide
        entries[tag] = (kind, values, place if fits else number(data, place, wide, little=little))
    return Directory(data, little, entries, number(data, at + head + count * step, wide, little=little))


def _first(data: bytes) -> int:
    little = data[:2] == b"II"
    big = number(data, 2, 2, little=little) == 43
    return number(data, 8, 8, little=little) if big else number(data, 4, 4, little=little)


def exif_directories(block: bytes) -> Iterator[Directory]:
    """The main directory of an EXIF block (or a TIFF file), EXIF's own, and that of interoperability."""
    main = directory(block, _first(block)) if block[:2] in (b"II", b"MM") else None
    if main is None:
        return
    yield main
    for inner in below(main, EXIF_IFD)[:1]:
        yield inner
        yield from below(inner, INTEROPERABILITY_IFD)[:1]


def blocks(data: bytes, page: Directory) -> Blocks:
    """What the tags of `page` say, and those of the first page where it says nothing."""
    first = next(iter(pages(data)), page)

    def value_of(tag: int) -> bytes:
        return page.bytes_of(tag) or first.bytes_of(tag)

    xmp = value_of(_XMP)
    white, primaries = _points(page)
    return Blocks(
        icc=value_of(_ICC),
        white=white,
        primaries=primaries,
        curve=_curve(page),
        exif=data,
        xmp=(xmp,) if xmp else (),
        iptc=value_of(_IPTC) or iptc_in(value_of(_PHOTOSHOP)),
        c2pa=value_of(_C2PA),
    )


def _points(page: Directory) -> tuple[Xy | None, Primaries | None]:
    white, points = page.ratios(_WHITE), page.ratios(_PRIMARIES)
    if len(white) != 2 or len(points) != 6:
        return None, None
    return (white[0], white[1]), ((points[0], points[1]), (points[2], points[3]), (points[4], points[5]))


def _curve(page: Directory) -> tuple[float, ...]:
    """The table of light where all three channels have one; a file of three that differ is taken by its first."""
    steps = 2 ** min(page.number(BITS, 1), 16)
    table = page.numbers(_TRANSFER)[:steps]
    return tuple(each / 65535 for each in table) if len(table) == steps > 2 else ()
