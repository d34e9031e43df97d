"""Each way of saying colours, held against LittleCMS; what says nothing usable is noted and passed over."""

import io
from functools import partial
from typing import Any

import numpy as np
import pytest
import pyvips
from numpy.typing import NDArray
from PIL import Image, ImageCms, TiffImagePlugin

from gpu_workers.imaging import icc
from gpu_workers.imaging.colour_difference import ciede2000, codes_to_lab
from gpu_workers.imaging.linear_light import to_linear
from gpu_workers.sources.decoding import Picture, decode
from gpu_workers.sources.errors import UnreadPicture
from tests.gpu_workers import colour_files as files
from tests.gpu_workers.colour_files import ADOBE, D65, LINEAR, P3, PROPHOTO, REC2020, SPACES, SRGB, Samples, Space

DELTA_E_MAX = 1.5
SRGB_TO_D50 = np.array(
    [[0.4360747, 0.3850649, 0.1430804], [0.2225045, 0.7168786, 0.0606169], [0.0139322, 0.0971045, 0.7141733]]
)


def lcms_lab(samples: Samples, profile: bytes) -> NDArray[np.float64]:
    """What LittleCMS makes of samples, as L*a*b* under D50."""
    mode = {b"RGB ": "RGB", b"GRAY": "L", b"CMYK": "CMYK"}[profile[16:20]]
    source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
    flags = ImageCms.Flags.BLACKPOINTCOMPENSATION
    if mode == "RGB":
        flags |= ImageCms.Flags.NOOPTIMIZE  # its short cut for a matrix and 8 bits is coarse in dark tones
    transform = ImageCms.buildTransform(
        source,
        ImageCms.createProfile("LAB"),
        mode,
        "LAB",
        ImageCms.Intent.RELATIVE_COLORIMETRIC,
        flags,
    )
    picture = Image.frombytes(mode, samples.shape[1::-1], np.ascontiguousarray(samples).tobytes())
    converted = ImageCms.applyTransform(picture, transform)
    assert converted is not None
    lab = np.asarray(converted)
    a_b = lab[..., 1:].astype(np.int8)  # as Pillow keeps them
    return np.dstack([lab[..., 0] / 2.55, a_b.astype(np.float64)])


def our_lab(picture: Picture) -> NDArray[np.float64]:
    light = to_linear(picture.pixels[..., :3]).astype(np.float64)
    return files.to_lab(light @ SRGB_TO_D50.T)


def assert_as_lcms(data: bytes, samples: Samples, profile: bytes) -> Picture:
    picture = decode(data)
    difference = ciede2000(our_lab(picture), lcms_lab(samples, profile))
    assert difference.mean() <= DELTA_E_MAX
    assert np.percentile(difference, 99) <= DELTA_E_MAX
    return picture


def stored(data: bytes) -> Samples:
    return np.asarray(Image.open(io.BytesIO(data)))


@pytest.mark.parametrize("space", SPACES, ids=lambda space: space.name)
@pytest.mark.parametrize("kind", [files.matrix, files.table], ids=["matrix", "table"])
@pytest.mark.parametrize("container", ["PNG 8", "PNG 16", "TIFF 8", "TIFF 16", "JPEG", "WEBP", "AVIF", "BMP"])
def test_a_profile_of_any_kind_is_read_as_littlecms_reads_it(space: Space, kind: Any, container: str) -> None:
    samples, profile = files.colours(space), kind(space)
    writers = {
        "PNG 8": lambda: files.png(samples, files.iccp(profile)),
        "PNG 16": lambda: files.png(samples, files.iccp(profile), bits=16),
        "TIFF 8": lambda: files.tiff(samples, profile),
        "TIFF 16": lambda: files.tiff(samples, profile, bits=16),
        "BMP": lambda: files.bmp_v5(samples, icc=profile),
    }
    data = writers[container]() if container in writers else files.written(samples, container, icc_profile=profile)
    seen = samples if container in writers else stored(data)
    picture = assert_as_lcms(data, seen, profile)
    assert picture.colours.signal == "icc"


@pytest.mark.parametrize("gamma", [1.0, 1.8, 2.2])
@pytest.mark.parametrize("container", ["PNG 8", "PNG 16", "TIFF 8", "TIFF 16", "JPEG"])
def test_grey_with_a_profile(gamma: float, container: str) -> None:
    samples = np.tile(np.arange(256, dtype=np.uint8), (64, 1))
    profile = files.grey(gamma)
    match container:
        case "PNG 8" | "PNG 16":
            data = files.png(samples, files.iccp(profile), bits=int(container[4:]))
        case "TIFF 8" | "TIFF 16":
            data = files.tiff(samples, profile, bits=int(container[5:]))
        case _:
            data = files.written(samples, "JPEG", icc_profile=profile)
            samples = stored(data)
    assert_as_lcms(data, samples, profile)


@pytest.mark.parametrize("container", ["JPEG", "TIFF"])
def test_inks_with_a_profile(container: str) -> None:
    samples = np.random.default_rng(2).integers(0, 256, (72, 72, 4), np.uint8)
    profile = files.inks()
    plain = files.written(samples, container, icc_profile=profile)
    seen = np.asarray(Image.open(io.BytesIO(plain)))
    source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
    transform = ImageCms.buildTransform(
        source,
        ImageCms.createProfile("sRGB"),
        "CMYK",
        "RGB",
        ImageCms.Intent.RELATIVE_COLORIMETRIC,
        ImageCms.Flags.BLACKPOINTCOMPENSATION,
    )
    expected = ImageCms.applyTransform(Image.frombytes("CMYK", (72, 72), seen.tobytes()), transform)
    assert expected is not None
    difference = ciede2000(codes_to_lab(decode(plain).pixels), codes_to_lab(np.asarray(expected)))
    assert difference.mean() <= DELTA_E_MAX
    assert np.percentile(difference, 99) <= DELTA_E_MAX


@pytest.mark.parametrize("bits", [8, 16])
@pytest.mark.parametrize(
    ("space", "points"), [(P3, (12, 13)), (LINEAR, (1, 8)), (REC2020, (9, 13)), (SRGB, (1, 13)), (SRGB, (1, 1))]
)
def test_png_by_cicp(space: Space, points: tuple[int, int], bits: int) -> None:
    samples = files.colours(space)
    data = files.png(samples, files.chunk(b"cICP", bytes([*points, 0, 1])), bits=bits)
    assert assert_as_lcms(data, samples, files.matrix(space)).colours.signal == "cicp"


@pytest.mark.parametrize(("space", "points"), [(P3, (12, 13)), (LINEAR, (1, 8)), (REC2020, (9, 14)), (SRGB, (1, 13))])
def test_avif_by_nclx(space: Space, points: tuple[int, int]) -> None:
    data = files.nclx(files.colours(space), *points)
    assert assert_as_lcms(data, stored(data), files.matrix(space)).colours.signal == "nclx"


@pytest.mark.parametrize("bits", [8, 16])
@pytest.mark.parametrize("space", [ADOBE, PROPHOTO, LINEAR, Space("P3, 2.2", P3.points, 2.2)], ids=lambda s: s.name)
def test_png_by_gama_and_chrm(space: Space, bits: int) -> None:
    samples = files.colours(space)
    data = files.png(samples, files.gama_chrm(space), bits=bits)
    assert assert_as_lcms(data, samples, files.matrix(space)).colours.signal == "gamma"


@pytest.mark.parametrize("bits", [8, 16])
def test_grey_png_by_gama(bits: int) -> None:
    samples = np.tile(np.arange(256, dtype=np.uint8), (64, 1))
    data = files.png(samples, files.chunk(b"gAMA", (100_000).to_bytes(4)), bits=bits)
    assert_as_lcms(data, samples, files.grey(1.0))


@pytest.mark.parametrize("container", ["JPEG", "WEBP", "PNG", "TIFF"])
def test_adobe_rgb_by_exif(container: str) -> None:
    samples, block = files.colours(ADOBE), files.exif(0xFFFF, "R03")
    if container == "PNG":
        data = files.png(samples, files.chunk(b"eXIf", block))
    elif container == "TIFF":
        info = TiffImagePlugin.ImageFileDirectory_v2()
        info[34665] = {40961: 2}
        data = files.written(samples, "TIFF", tiffinfo=info)
    else:
        data = files.written(samples, container, exif=b"Exif\0\0" + block)
    picture = assert_as_lcms(data, stored(data), files.matrix(ADOBE))
    assert picture.colours.signal == "exif"


def test_tiff_by_its_points() -> None:
    samples = files.colours(P3)
    assert_as_lcms(files.tiff_tags(samples, P3), samples, files.matrix(P3))


def test_bmp_by_its_header() -> None:
    samples = files.colours(ADOBE)
    assert_as_lcms(files.bmp_v5(samples, space=ADOBE), samples, files.matrix(ADOBE))


@pytest.mark.parametrize("bits", [8, 16])
def test_a_name_is_not_believed(bits: int) -> None:
    samples = files.colours(LINEAR)
    profile = files.matrix(LINEAR, "sRGB IEC61966-2.1")
    picture = assert_as_lcms(files.png(samples, files.iccp(profile), bits=bits), samples, profile)
    assert not picture.colours.is_srgb


def test_srgb_under_another_name_is_not_touched() -> None:
    samples = files.colours(SRGB)
    picture = decode(files.png(samples, files.iccp(files.matrix(SRGB, "Our monitor"))))
    assert np.array_equal(picture.pixels, samples)
    assert picture.colours.is_srgb


@pytest.mark.parametrize("grey", [False, True], ids=["RGB", "grey"])
@pytest.mark.parametrize(
    "chunks",
    [
        files.chunk(b"sRGB", b"\0"),
        files.chunk(b"gAMA", (45_455).to_bytes(4)),
        files.gama_chrm(Space("sRGB, 2.2", SRGB.points, 2.2)),
        files.chunk(b"cICP", bytes([1, 13, 0, 1])),
        files.chunk(b"cICP", bytes([2, 2, 0, 1])),
        files.iccp(files.matrix(SRGB)),
        files.chunk(b"eXIf", files.exif(1)),
        files.chunk(b"eXIf", files.exif(0xFFFF)),
    ],
)
def test_what_says_srgb_is_not_touched(chunks: bytes, grey: bool) -> None:
    samples = files.colours(SRGB)[..., 0] if grey else files.colours(SRGB)
    pixels = decode(files.png(samples, chunks)).pixels
    assert np.array_equal(pixels, np.dstack([samples] * 3) if grey else samples)


def test_the_order_of_precedence_in_a_png() -> None:
    samples = files.colours(P3)
    found = [
        (files.chunk(b"cICP", bytes([12, 13, 0, 1])), P3),
        (files.iccp(files.matrix(ADOBE)), ADOBE),
        (files.chunk(b"sRGB", b"\0"), SRGB),
        (files.gama_chrm(LINEAR), LINEAR),
        (files.chunk(b"eXIf", files.exif(0xFFFF, "R03")), ADOBE),
    ]
    for first, (_, space) in enumerate(found):
        data = files.png(samples, *(each for each, _ in reversed(found[first:])))
        assert_as_lcms(data, samples, files.matrix(space))


def test_a_profile_goes_before_nclx_and_exif() -> None:
    samples = files.colours(ADOBE)
    jpeg = files.written(samples, "JPEG", icc_profile=files.matrix(P3), exif=b"Exif\0\0" + files.exif(0xFFFF, "R03"))
    assert_as_lcms(jpeg, stored(jpeg), files.matrix(P3))
    avif = files.written(samples, "AVIF", icc_profile=files.matrix(ADOBE))
    assert_as_lcms(avif, stored(avif), files.matrix(ADOBE))


def test_a_jpeg_with_stray_bytes_keeps_its_profile() -> None:
    data = files.written(files.colours(P3), "JPEG", icc_profile=files.matrix(P3))
    assert_as_lcms(files.strayed(data), stored(data), files.matrix(P3))


def test_a_profile_in_parts_that_come_out_of_order() -> None:
    data = files.written(files.colours(P3), "JPEG")
    assert_as_lcms(files.in_parts(data, files.matrix(P3), [2, 0, 1]), stored(data), files.matrix(P3))


@pytest.mark.parametrize("profile", [files.matrix(ADOBE), files.matrix(LINEAR)], ids=["Adobe RGB", "linear"])
@pytest.mark.parametrize("container", ["JPEG", "PNG 8", "PNG 16"])
def test_grey_with_a_profile_of_rgb_is_read_through_it(profile: bytes, container: str) -> None:
    samples = np.tile(np.arange(256, dtype=np.uint8), (64, 1))
    if container == "JPEG":
        data = files.written(samples, "JPEG", icc_profile=profile)
        samples = stored(data)
    else:
        data = files.png(samples, files.iccp(profile), bits=int(container[4:]))
    picture = assert_as_lcms(data, np.dstack([samples] * 3), profile)
    assert picture.colours.ignored == ()


BROKEN = {
    "truncated": files.matrix(P3)[:300],
    "cut in its table": files.matrix(P3)[:140],
    "no profile": b"this is no profile at all" * 10,
    "for Lab": ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")).tobytes(),
    "for grey": files.grey(2.2),
    "for inks": files.inks(),
    "a device link": files.profile({}, b"RGB ", "link", kind=b"link", pcs=b"RGB "),
    "named colours": files.profile({}, b"RGB ", "names", kind=b"nmcl"),
    "without tags": files.profile({}, b"RGB ", "empty"),
}


@pytest.mark.parametrize("profile", BROKEN.values(), ids=BROKEN.keys())
@pytest.mark.parametrize("container", ["JPEG", "PNG", "TIFF", "WEBP", "AVIF"])
def test_a_profile_that_cannot_be_used_is_passed_over_and_noted(profile: bytes, container: str) -> None:
    data = files.written(files.colours(SRGB), container, icc_profile=profile)
    picture = decode(data)
    assert np.abs(picture.pixels.astype(int) - stored(data)).max() <= (2 if container == "AVIF" else 0)
    assert len(picture.colours.ignored) == 1
    assert picture.colours.ignored[0].startswith("icc: ")
    assert picture.measures["source_colours_ignored"] == 1


def test_after_a_profile_that_cannot_be_used_the_next_signal_counts() -> None:
    samples = files.colours(LINEAR)
    data = files.png(samples, files.iccp(files.grey(2.2)), files.gama_chrm(LINEAR))
    picture = assert_as_lcms(data, samples, files.matrix(LINEAR))
    assert picture.colours.ignored


def test_inks_with_a_profile_of_rgb_are_read_as_without_one() -> None:
    samples = np.random.default_rng(2).integers(0, 256, (72, 72, 4), np.uint8)
    wrong = decode(files.written(samples, "TIFF", icc_profile=files.matrix(P3)))
    assert wrong.colours.ignored
    assert np.array_equal(wrong.pixels, decode(files.written(samples, "TIFF")).pixels)


@pytest.mark.parametrize(("transfer", "name"), [(16, "PQ"), (18, "HLG")])
def test_hdr_is_refused_by_its_name(transfer: int, name: str) -> None:
    samples = files.colours(P3)
    cicp = files.chunk(b"cICP", bytes([9, transfer, 0, 1]))
    tagged = files.profile({b"cicp": b"cicp" + bytes(4) + bytes([9, transfer, 0, 1])}, b"RGB ", "HDR")
    for data in (files.png(samples, cicp), files.nclx(samples, 9, transfer), files.png(samples, files.iccp(tagged))):
        with pytest.raises(UnreadPicture, match=name):
            decode(data)


@pytest.mark.parametrize(
    "chunks",
    [
        files.chunk(b"gAMA", (1).to_bytes(4)),
        files.chunk(b"cHRM", bytes(32)),
        files.chunk(b"cHRM", b"\xff" * 32),
        files.chunk(b"cICP", bytes([99, 13, 0, 1])),
        files.chunk(b"cICP", bytes([1, 13, 6, 1])),
    ],
)
def test_numbers_that_cannot_be_are_passed_over_and_noted(chunks: bytes) -> None:
    samples = files.colours(SRGB)
    picture = decode(files.png(samples, chunks))
    assert np.array_equal(picture.pixels, samples)
    assert picture.colours.ignored


def test_adobes_marker_says_how_inks_and_rgb_are_packed() -> None:
    inks = np.zeros((64, 64, 4), np.uint8)
    inks[:, :32] = (0, 255, 255, 0)
    red, white = (decode(files.written(inks, "JPEG")).pixels[32, x].astype(int) for x in (10, 50))
    assert red[0] > 180 > 100 > red[1:].max()
    assert white.min() >= 245
    plain = pyvips.Image.new_from_array(files.colours(SRGB)).copy(interpretation="srgb")
    jpeg = files.written(files.colours(SRGB), "JPEG", keep_rgb=True)
    assert np.abs(decode(jpeg).pixels.astype(int) - plain.numpy()).max() <= 3


def test_profiles_of_our_own_are_read_by_littlecms() -> None:
    for space, gamma in ((P3, 2.2), (ADOBE, 1.8)):
        made = icc.matrix_profile("ours", space.points, (gamma,), D65)
        theirs = files.matrix(Space("theirs", space.points, gamma))
        samples = files.colours(space)
        assert ciede2000(lcms_lab(samples, made), lcms_lab(samples, theirs)).max() < DELTA_E_MAX
    assert partial(icc.grey_profile, "grey")((2.2,))[36:40] == b"acsp"
