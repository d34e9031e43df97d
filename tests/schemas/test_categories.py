from importlib import resources

import msgspec
import pytest

from schemas import categories, channels
from schemas.operations.cutout import CutoutParameters


@pytest.mark.parametrize(
    ("category", "groups"),
    [
        ("Men's T-Shirts", {"clothing"}),
        ("Clothing > Women > Dresses", {"clothing"}),
        ("Kids > T-shirts", {"clothing", "kids"}),
        ("blue-hoodie-2", {"clothing"}),
        ("Sneakers", {"shoes"}),
        ("Beanies", {"headwear"}),
        ("Sunglasses", {"accessories"}),
        ("Home > Dressers", set()),
        ("Kitchen > Barware", set()),
        ("", set()),
    ],
)
def test_a_category_s_own_words_say_which_goods_it_is_of(category: str, groups: set[str]) -> None:
    assert categories.groups(category) == groups
    assert categories.is_worn(category) is bool(groups - {"kids"})


def test_toys_of_children_are_not_worn() -> None:
    assert not categories.is_worn("Kids > Building blocks")


@pytest.mark.parametrize(
    ("subject", "category", "is_to_be"),
    [
        ("auto", "Dresses", "everything"),
        ("auto", "Mugs", "product"),
        ("auto", "", "product"),
        ("product", "Dresses", "product"),
        ("everything", "Mugs", "everything"),
    ],
)
def test_what_is_worn_is_cut_out_with_its_wearer(subject: str, category: str, is_to_be: str) -> None:
    assert CutoutParameters.parse({"subject": subject}).of(category).subject == is_to_be
    assert CutoutParameters().subject == "auto"


@pytest.mark.parametrize(
    ("channel", "allowing", "banning"),
    [
        ("amazon", ["Dresses", "Men > Jeans"], ["Kids > Dresses", "Sneakers", "Beanies", "Mugs", ""]),
        ("walmart", [], ["Dresses", "Kids > Dresses", "Mugs"]),
        ("google", ["Dresses"], ["Sunglasses", "Sneakers", "Kids > Dresses", "Mugs"]),
        ("tiktok", ["Dresses"], ["Sneakers", "Girls' dresses", "Mugs"]),
        ("zalando", [], ["Dresses", "Sneakers", "Mugs"]),
        ("etsy", ["Dresses", "Mugs"], ["Kids > Dresses"]),
        ("ebay", ["Dresses", "Sneakers"], ["Baby > Shirts"]),
        ("instagram", ["Dresses", "Sneakers"], ["Boys' shirts"]),
        ("shopify", ["Dresses", "Sneakers"], ["Kids > Dresses"]),
    ],
)
def test_channels_say_by_category_whether_people_may_be_seen(
    channel: str, allowing: list[str], banning: list[str]
) -> None:
    assert [category for category in allowing if not channels.load(channel, category).people] == []
    assert [category for category in banning if channels.load(channel, category).people] == []


@pytest.mark.parametrize(
    ("rule", "where"),
    [
        ("{groups: [clothing], people: true}", "source"),
        ("{groups: [garments], smallest: {width_px: 1, height_px: 1}}", "garments"),
        ("{smallest: {width_px: 1, height_px: 1}}", "by_category"),
    ],
)
def test_a_category_s_rule_that_is_not_whole_is_named(rule: str, where: str) -> None:
    text = (resources.files("schemas.channels") / "zalando.yaml").read_text()
    text = f"{text.partition('by_category')[0]}by_category: [{rule}]\n"
    with pytest.raises(msgspec.ValidationError, match=where):
        channels.parse(text.encode())
