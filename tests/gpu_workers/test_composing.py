"""The table of operations: what each makes of a cutout, what goes on to a next step, and what is refused by name."""

import io
import shutil
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import cv2
import msgspec
import numpy as np
import pytest
from PIL import Image

from gpu_workers.imaging.encoding import lossless
from gpu_workers.imaging.linear_light import eight_bit
from gpu_workers.imaging.metadata import GENERATED, Metadata
from gpu_workers.library import brands, scenes, templates
from gpu_workers.operations.base import Composed, ComposeRequest, File, Library, compose, fingerprint
from gpu_workers.operations.packshot.measures import measure_restyled
from gpu_workers.sources.decoding import Picture, decode
from schemas import channels
from schemas.channels import Size
from schemas.errors import InputError
from streams.flow.processors.judging import judge
from tests.gpu_workers.products import mug

LIBRARY = Library(
    scenes=scenes.find(scenes.shipped_folder()),
    brands=brands.find(brands.shipped_folder()),
    templates=templates.find(templates.shipped_folder()),
)
IN_A_SCENE = {"scene": "oak-table-window", "height_cm": "9"}


def cutout(metadata: Metadata | None = None) -> Picture:
    """A mug that is 560 px wide."""
    pixels = cv2.resize(mug(), None, fx=4, fy=4, interpolation=cv2.INTER_LINEAR)
    return Picture(np.asarray(pixels, np.uint8), "image/png", 8, True, "", 1, 1, metadata or Metadata())


def request(channel: str = "shopify", parameters: Mapping[str, str] | None = None) -> ComposeRequest:
    """A picture for the channel, of 1000 px: what is looked at here is the same on its whole canvas."""
    rules = msgspec.structs.replace(channels.load(channel), canvas=Size(1000, 1000))
    return ComposeRequest(rules, parameters or {}, library=LIBRARY)


def on_the_way(channel: str = "shopify", parameters: Mapping[str, str] | None = None) -> ComposeRequest:
    """What a next step goes on with."""
    return replace(request(channel, parameters), is_asset=False, goes_on=True)


def read(file: File) -> Picture:
    return decode(file.data)


def outcome(composed: Composed, channel: str, before: Mapping[str, float] | None = None) -> dict[str, str]:
    measures = {"cutout.uncertainty": 0.05, "cutout.person_share": 0.0, **(before or {}), **composed.measures}
    verdict = judge(measures, channels.load(channel), composed.files[0].role)
    return {check.name: check.outcome for check in verdict.checks}


@pytest.mark.parametrize("operation", ["packshot", "mockup"])
def test_a_style_goes_on_with_what_the_step_before_made_and_knows_where_the_product_is(operation: str) -> None:
    parameters = IN_A_SCENE if operation == "mockup" else {"background.color": "#C8B090"}
    packshot = compose(operation, [cutout()], on_the_way("shopify", parameters))
    assert [file.role for file in packshot.files] == [operation, "mask"]
    assert {file.media_type for file in packshot.files} == {"image/png"}
    picture, mask = (read(file) for file in packshot.files)
    assert picture.pixels.shape == mask.pixels.shape
    styled = compose("style", [picture, mask], request("shopify", {"brand": "cool-studio", "product.cap": "0"}))
    assert [file.media_type for file in styled.files] == ["image/jpeg"]
    assert styled.measures["product_delta_e_median"] == 0
    solid = mask.pixels[..., 0] > 250
    changed = np.abs(read(styled.files[0]).pixels.astype(int) - picture.pixels).max(axis=2)
    assert np.median(changed[mask.pixels[..., 0] == 0]) > np.median(changed[solid]) + 1


def test_a_demanded_background_stays_exact_under_a_style() -> None:
    packshot = compose("packshot", [cutout()], on_the_way("amazon"))
    styled = compose(
        "style", [read(file) for file in packshot.files], request("amazon", {"brand": "earthy", "lut": "warm"})
    )
    corner = np.asarray(Image.open(io.BytesIO(styled.files[0].data)))[:40, :40]
    assert (corner == 255).all()
    outcomes = outcome(styled, "amazon")
    assert {outcomes[name] for name in ("background_as_channel", "background_exact_share", "fill")} == {"pass"}


def test_a_styled_ground_that_is_not_the_channels_is_noticed() -> None:
    packshot = compose("packshot", [cutout()], on_the_way("shopify", {"background.color": "#F4F0E8"}))
    styled = compose("style", [read(file) for file in packshot.files], request("amazon", {"brand": "earthy"}))
    assert outcome(styled, "amazon")["background_as_channel"] == "fail"
    canvas, mask = (read(file).pixels for file in packshot.files)
    white = np.where(mask > 0, canvas, np.uint8(255))
    spoilt = np.maximum(white, 1)
    spoilt[: len(white) // 8] -= 1
    found = measure_restyled(lossless(spoilt), white, eight_bit(mask)[..., 0], np.full(3, 255, np.uint8))
    assert found["background_as_channel"] == 1
    assert found["background_exact_share"] < 0.9
    assert found["background_deviation_max"] == 1


def test_an_enlarged_cutout_goes_on_to_a_packshot_with_all_that_it_knew() -> None:
    known = cutout(Metadata("digitalCapture", (0.6, 0.6, 0.6)))
    packshot = compose("upscale", [known], on_the_way())
    (large,) = (read(file) for file in packshot.files)
    assert large.pixels.shape == (1600, 1920, 4)
    assert large.metadata == Metadata("algorithmicallyEnhanced", (0.6, 0.6, 0.6))
    whole = replace(request(), channel=channels.load("shopify"))
    alone, enlarged = (compose("packshot", [each], whole) for each in (known, large))
    assert enlarged.measures["width_px"] > alone.measures["width_px"]


def test_a_cutout_that_was_enlarged_fails_where_the_channel_takes_none() -> None:
    made, before = compose("packshot", [cutout()], request("google")), {"upscale.upscaled_by": 2.0}
    assert outcome(made, "google", before)["upscale.upscaled_by"] == "fail"
    assert outcome(made, "shopify", before)["upscale.upscaled_by"] == "pass"
    assert "upscale.upscaled_by" not in outcome(made, "google")


def test_a_scene_fails_where_the_channel_takes_none() -> None:
    made = compose("mockup", [cutout()], request("shopify", IN_A_SCENE))
    assert outcome(made, "amazon")["has_scene"] == "fail"
    checks = outcome(made, "shopify")
    assert {checks[name] for name in ("has_scene", "in_frame", "height_error", "has_srgb_profile")} == {"pass"}
    assert "fail" not in checks.values()


def test_a_print_is_judged_by_its_fidelity_and_its_resolution() -> None:
    art = replace(cutout(), pixels=np.full((1200, 1200, 3), (30, 90, 160), np.uint8))
    fine = compose("artwork", [art], request("shopify", {"template": "tote"}))
    coarse = compose("artwork", [replace(art, pixels=art.pixels[:120, :120])], request("shopify", {"template": "tote"}))
    assert outcome(fine, "shopify")["effective_dpi"] == "pass"
    assert outcome(coarse, "shopify")["effective_dpi"] == "review"


@pytest.mark.parametrize(("operation", "parameters"), [("mockup", IN_A_SCENE), ("artwork", {"template": "tote"})])
@pytest.mark.parametrize(
    ("source", "made"), [("", b"/composite"), (GENERATED, b"/compositeWithTrainedAlgorithmicMedia")]
)
def test_a_composite_says_so_and_what_is_generated_in_it(
    operation: str, parameters: dict[str, str], source: str, made: bytes
) -> None:
    file = compose(operation, [cutout(Metadata(source))], request("shopify", parameters)).files[0].data
    assert made + b'"' in file


@pytest.mark.parametrize(
    ("operation", "count", "parameters", "refusal"),
    [
        ("engrave", 1, {}, ("unknown_operation", "operation", "packshot")),
        ("packshot", 2, {}, ("bad_inputs", "inputs", "2")),
        ("mockup", 1, {"scene": "moon", "height_cm": "9"}, ("bad_scene", "scene", "oak-table-window")),
        ("mockup", 1, {"scene": "desk"}, ("bad_parameters", "height_cm", "height_cm")),
        ("mockup", 2, {"scene": "desk", "height_cm": "9"}, ("bad_parameters", "others.height_cm", "1 other")),
        ("mockup", 1, {"others": "JUG", "height_cm": "9"}, ("bad_parameters", "others", "the flow has their")),
        ("style", 1, {"brand": "earthy"}, ("bad_inputs", "inputs", "mask")),
        ("artwork", 1, {"template": "yacht"}, ("unknown_template", "template", "tote")),
        ("artwork", 1, {}, ("bad_parameters", "template", "must be given")),
        ("upscale", 1, {}, ("bad_inputs", "inputs", "holes")),
    ],
)
def test_what_cannot_be_made_is_refused_by_name(
    operation: str, count: int, parameters: dict[str, str], refusal: tuple[str, str, str]
) -> None:
    with pytest.raises(InputError, match=refusal[2]) as caught:
        compose(operation, [cutout()] * count, request("shopify", parameters))
    assert (caught.value.code, caught.value.field) == refusal[:2]


@pytest.mark.parametrize(("brand", "field"), [("nobody", "warm-minimal"), (None, "must be given")])
def test_an_unknown_brand_is_refused(brand: str | None, field: str) -> None:
    packshot = compose("packshot", [cutout()], on_the_way())
    with pytest.raises(InputError, match=field):
        compose("style", [read(file) for file in packshot.files], request("shopify", {"brand": brand} if brand else {}))


def test_other_things_on_the_shelves_have_other_fingerprints(tmp_path: Path) -> None:
    wanted = request("shopify", IN_A_SCENE)
    own = tmp_path / "oak-table-window"
    shutil.copytree(LIBRARY.scenes["oak-table-window"], own)
    mine = replace(wanted, library=replace(LIBRARY, scenes=scenes.find(tmp_path)))
    assert fingerprint("mockup", mine) == fingerprint("mockup", wanted)
    text = (own / scenes.FILE).read_text()
    (own / scenes.FILE).write_text(text.replace("version: 1", "version: 2"))
    assert fingerprint("mockup", mine) != fingerprint("mockup", wanted)
    assert fingerprint("style", request("shopify", {"brand": "earthy"})) != fingerprint(
        "style", request("shopify", {"brand": "cool-studio"})
    )
    assert fingerprint("artwork", request("shopify", {"template": "tote"})) != fingerprint(
        "artwork", request("shopify", {"template": "mug"})
    )
    assert fingerprint("packshot", request()) == ""
