"""What a file is, by its first bytes: the picture formats that we read, and the names of those that people send."""

from gpu_workers.sources.errors import NotAnImage

_MAGIC = (
    (b"\xff\xd8", "image/jpeg"),  # the next marker's FF may stand behind stray bytes
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"GIF87a", "image/gif"),
    (b"GIF89a", "image/gif"),
    (b"II*\x00", "image/tiff"),
    (b"MM\x00*", "image/tiff"),
    (b"II+\x00\x08\x00\x00\x00", "image/tiff"),
    (b"MM\x00+\x00\x08\x00\x00", "image/tiff"),
)
_BRANDS = (
    (b"avif", "image/avif"),
    (b"avis", "image/avif"),
    (b"heic", "image/heif"),
    (b"heix", "image/heif"),
    (b"hevc", "image/heif"),
    (b"mif1", "image/heif"),
)
_CLIP_BRANDS = (b"isom", b"iso2", b"mp41", b"mp42")
_FOREIGN_BRANDS = (
    (b"crx ", "CR3, a camera's raw file"),
    (b"jxl ", "JPEG XL"),
    (b"jp2 ", "JPEG 2000"),
    (b"qt  ", "MOV, a film"),
    (b"M4A", "M4A, sound"),
)
_FOREIGN = (
    (b"8BPS", "PSD, Photoshop's own format"),
    (b"8BPB", "PSB, Photoshop's own format"),
    (b"\xff\x0a", "JPEG XL"),
    (b"\0\0\0\x0cJXL \r\n\x87\n", "JPEG XL"),
    (b"\0\0\0\x0cjP  \r\n\x87\n", "JPEG 2000"),
    (b"\xff\x4f\xff\x51", "JPEG 2000"),
    (b"%PDF", "PDF"),
    (b"%!PS", "PostScript or EPS, a drawing and not a photograph"),
    (b"\xc5\xd0\xd3\xc6", "EPS, a drawing and not a photograph"),
    (b"PK\x03\x04", "ZIP"),
    (b"Rar!\x1a\x07", "RAR"),
    (b"7z\xbc\xaf\x27\x1c", "7z"),
    (b"\x1f\x8b", "gzip"),
    (b"\0\0\x01\0", "ICO, an icon"),
    (b"\0\0\x02\0", "CUR, a mouse pointer"),
    (b"icns", "ICNS, an icon"),
    (b"FUJIFILMCCD-RAW", "RAF, a camera's raw file"),
    (b"IIRO", "ORF, a camera's raw file"),
    (b"IIRS", "ORF, a camera's raw file"),
    (b"IIU\0", "RW2, a camera's raw file"),
    (b"FOVb", "X3F, a camera's raw file"),
    (b"\0MRM", "MRW, a camera's raw file"),
    (b"\x76\x2f\x31\x01", "OpenEXR"),
    (b"#?RADIANCE", "Radiance HDR"),
    (b"II\xbc\x01", "JPEG XR"),
    (b"\x8aMNG", "MNG"),
    (b"BPG\xfb", "BPG"),
    (b"qoif", "QOI"),
    (b"gimp xcf", "XCF, GIMP's own format"),
    (b"DDS ", "DDS, a texture"),
    (b"\x0a\x05\x01\x08", "PCX"),
    (b"AT&TFORM", "DjVu"),
    (b"SIMPLE  =", "FITS"),
    (b"\xd7\xcd\xc6\x9a", "WMF, a drawing and not a photograph"),
    (b"\x1a\x45\xdf\xa3", "Matroska or WebM, a film"),
    (b"\0\0\x01\xba", "MPEG, a film"),
    (b"P4\n", "PBM"),
    (b"P5\n", "PGM"),
    (b"P6\n", "PPM"),
)
_FOREIGN_INSIDE = (
    (8, b"AVI ", "AVI, a film"),
    (8, b"WAVE", "WAV, sound"),
    (4, b"moov", "MOV, a film"),
    (4, b"mdat", "MOV, a film"),
    (40, b" EMF", "EMF, a drawing and not a photograph"),
    (128, b"DICM", "DICOM"),
)
_TARGA = b"TRUEVISION-XFILE.\0"


def sniff(data: bytes, uri: str = "") -> str:
    """The media type that the first bytes show. Raises NotAnImage, saying what they look like instead."""
    if data[8:10] == b"CR" and data[:4] == b"II*\0":
        raise NotAnImage(uri, _refusal("CR2, a camera's raw file"))
    for magic, media_type in _MAGIC:
        if data.startswith(magic):
            return media_type
    if data[:2] == b"BM" and len(data) >= 26 and data[6:10] == bytes(4):
        return "image/bmp"
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "image/webp"
    if data[4:8] == b"ftyp":
        brands = data[8 : min(int.from_bytes(data[:4], "big"), 64)]
        for brand, media_type in _BRANDS:
            if brand in brands:
                return media_type
    raise NotAnImage(uri, _refusal(_looks_like(data)))


def sniff_published(data: bytes, uri: str = "") -> str:
    """As `sniff`, of what goes live: pictures, and clips in MP4. Raises NotAnImage."""
    if data[4:8] == b"ftyp" and data[8:12] in _CLIP_BRANDS:
        return "video/mp4"
    return sniff(data, uri)


def _refusal(kind: str) -> str:
    return f"no picture that we read: by its content {kind}"


def _looks_like(data: bytes) -> str:
    if not data:
        return "an empty file"
    if data[4:8] == b"ftyp":
        brand = data[8:12]
        return next((name for start, name in _FOREIGN_BRANDS if brand.startswith(start)), "MP4, a film")
    if data.endswith(_TARGA) or _is_old_targa(data):
        return "TGA"
    found = [name for magic, name in _FOREIGN if data.startswith(magic)]
    found += [name for at, magic, name in _FOREIGN_INSIDE if data[at : at + len(magic)] == magic]
    return found[0] if found else _as_text(data)


def _is_old_targa(data: bytes) -> bool:
    """A header of the first TGA, which has no magic: no colour map, a kind, no origin, a size, a depth."""
    head = data[:18]
    sane = len(head) == 18 and head[1] == 0 and head[2] in (2, 3, 10, 11) and not any(head[3:12])
    return sane and any(head[12:14]) and any(head[14:16]) and head[16] in (8, 16, 24, 32)


def _as_text(data: bytes) -> str:
    head = data[:1024].removeprefix(b"\xef\xbb\xbf").lstrip().lower()
    if b"<svg" in head:
        return "SVG, a drawing and not a photograph"
    if head.startswith((b"<!doctype html", b"<html")):
        return "an HTML page"
    if not any(data[:1024]):
        return "nothing but zeros"
    return "text" if all(byte >= 32 or byte in b"\t\r\n" for byte in head) else "unknown data"
