"""Which network works for which product, after what operators decided."""

import pytest
from msgspec import ValidationError, convert

from schemas.records import ModelReleased
from schemas.releases import recalled, split_of

DEFAULT = ["net@1"]
SKUS = [f"S-{number}" for number in range(2000)]


def release(model: str, stage: str, **more: object) -> ModelReleased:
    return ModelReleased(operation="cutout", model=model, stage=stage, released_at_ms=1, **more)  # type: ignore[arg-type]


def test_the_default_works_until_something_is_released() -> None:
    assert split_of([], DEFAULT).choose("t", "s") == "net@1"


def test_the_last_that_was_made_stable_works_and_withdrawn_gives_way_to_the_one_before() -> None:
    releases = [release("net@2", "stable"), release("net@3", "stable")]
    assert split_of(releases, DEFAULT).stable == ("net@3", "net@2", "net@1")
    releases.append(release("net@3", "withdrawn"))
    assert split_of(releases, DEFAULT).stable == ("net@2", "net@1")
    releases.append(release("net@2", "withdrawn"))
    assert split_of(releases, DEFAULT).choose("t", "s") == "net@1"


def test_a_withdrawn_default_works_no_more() -> None:
    stand = split_of([release("net@1", "withdrawn")], DEFAULT)
    assert stand.choose("t", "s") is None


def test_a_canary_works_for_its_share_of_the_products_and_for_the_same_ones_as_it_grows() -> None:
    def meant(share: float) -> set[str]:
        stand = split_of([release("net@2", "canary", share=share)], DEFAULT)
        return {sku for sku in SKUS if stand.choose("t", sku) == "net@2"}

    assert meant(0.0) == set()
    assert 150 < len(meant(0.1)) < 250
    assert meant(0.1) < meant(0.5) < meant(1.0) == set(SKUS)


def test_a_canary_works_for_its_tenants_whatever_its_share() -> None:
    stand = split_of([release("net@2", "canary", share=0.0, tenants=["keen"])], DEFAULT)
    assert stand.choose("keen", "s") == "net@2"
    assert stand.choose("other", "s") == "net@1"


def test_a_shadow_works_beside_and_never_for_a_product() -> None:
    stand = split_of([release("net@2", "shadow")], DEFAULT)
    assert (stand.choose("t", "s"), stand.beside("t", "s")) == ("net@1", "net@2")
    assert stand.trials == ("net@2",)


@pytest.mark.parametrize("trial", ["canary", "shadow"])
def test_a_trial_ends_when_another_becomes_stable_and_when_it_is_withdrawn(trial: str) -> None:
    begun = [release("net@2", trial)]
    assert split_of([*begun, release("net@3", "stable")], DEFAULT).trials == ()
    assert split_of([*begun, release("net@2", "withdrawn")], DEFAULT).trials == ()
    assert split_of([release("net@3", "stable"), *begun], DEFAULT).trials == ("net@2",)


def test_a_canary_may_be_promoted() -> None:
    stand = split_of([release("net@2", "canary", share=0.1), release("net@2", "stable")], DEFAULT)
    assert stand.stable[0] == "net@2"
    assert stand.trials == ()


def test_recalled_is_what_was_withdrawn_so_and_not_released_since() -> None:
    releases = [release("net@2", "stable"), release("net@2", "withdrawn", recall=True)]
    assert recalled(releases) == split_of(releases, DEFAULT).recalled == {"net@2"}
    assert recalled([*releases, release("net@2", "canary")]) == set()


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"share": 1.5}, "share"),
        ({"model": "net"}, "model"),
        ({"stage": "golden"}, "stage"),
        ({"recall": True, "stage": "stable"}, "recall"),
    ],
)
def test_a_wrong_release_names_its_field(change: dict[str, object], named: str) -> None:
    good = {"operation": "cutout", "model": "net@1", "stage": "stable", "released_at_ms": 1, "type": "ModelReleased"}
    with pytest.raises(ValidationError, match=named):
        convert(good | change, ModelReleased)
