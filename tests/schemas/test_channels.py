from importlib import resources

import msgspec
import pytest

from schemas import channels

MARKETPLACES = ("amazon", "ebay", "etsy", "google", "instagram", "shopify", "tiktok", "walmart", "zalando")


def text(name: str) -> str:
    return (resources.files("schemas.channels") / f"{name}.yaml").read_text()


def test_the_channels_are_there() -> None:
    assert channels.names() == tuple(sorted([*MARKETPLACES, "web"]))


@pytest.mark.parametrize("name", channels.names())
def test_every_file_loads_and_agrees_with_its_name(name: str) -> None:
    channel = channels.load(name)
    assert channel.name == name
    assert channel.rule_version == f"{name}@2026-11"
    for side in ("width_px", "height_px"):
        smallest, canvas, largest = (
            getattr(size, side) for size in (channel.smallest, channel.canvas, channel.largest)
        )
        assert smallest <= canvas <= largest


def test_rules_as_the_channels_publish_them() -> None:
    amazon, google, zalando = (channels.load(name) for name in ("amazon", "google", "zalando"))
    assert (amazon.background, amazon.fill.min, amazon.file_bytes_max) == ("#FFFFFF", 0.85, 10_000_000)
    assert "webp" not in amazon.formats
    assert (google.fill.min, google.fill.max, google.scale_max) == (0.75, 0.9, 1.0)
    assert (zalando.canvas, zalando.formats) == (channels.Size(1801, 2600), ("jpeg",))
    assert channels.load("web").background is None
    walmart, tiktok, etsy, ebay = (channels.load(name) for name in ("walmart", "tiktok", "etsy", "ebay"))
    assert (walmart.canvas, walmart.file_bytes_max, walmart.background_required) == (
        channels.Size(2200, 2200),
        5_000_000,
        True,
    )
    assert (tiktok.fill.min, tiktok.file_bytes_max, tiktok.formats) == (0.8, 5_000_000, ("jpeg", "png"))
    assert (etsy.canvas, etsy.smallest) == (channels.Size(2000, 2000), channels.Size(635, 635))
    assert (ebay.smallest, ebay.file_bytes_max) == (channels.Size(500, 500), 12_000_000)


def test_what_a_third_party_says_is_marked() -> None:
    assert "fill.min" in channels.load("amazon").second_hand
    assert channels.load("google").second_hand == ("people",)


def test_a_category_has_its_own_rules() -> None:
    assert channels.load("google", "Books").smallest == channels.Size(100, 100)
    assert channels.load("google", "Men's Sneakers").smallest == channels.Size(250, 250)


def test_an_unknown_channel_lists_the_known() -> None:
    with pytest.raises(channels.UnknownChannel, match=r"'myspace'.*amazon, ebay.*zalando"):
        channels.load("myspace")


@pytest.mark.parametrize(
    ("old", "new", "where"),
    [
        ('"#FFFFFF"', '"white"', "background"),
        ("min: 0.85", "min: 0.95", "fill"),
        ("scale_max: 1.5", "scale_max: big", "scale_max"),
        ("formats: [jpeg, png, tiff, gif]", "formats: []", "formats"),
        ("notes:", "note:", "note"),
        ('"2026-11"', '"lately"', "version"),
    ],
)
def test_a_file_that_is_not_well_formed_names_its_field(old: str, new: str, where: str) -> None:
    with pytest.raises(msgspec.ValidationError, match=where):
        channels.parse(text("amazon").replace(old, new).encode())


@pytest.mark.parametrize("name", channels.names())
def test_each_point_that_is_demanded_says_where_that_is_from(name: str) -> None:
    channel = channels.load(name)
    (note,) = [each for each in channel.notes if each.startswith("Demands - ")]
    assert [point for point in channel.demands if point not in note] == []
    assert "our" in note or "ours" in note or "found by 2026-11" in note
