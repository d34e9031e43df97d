"""Releases: of models, recipes, defaults and channels."""

from typing import Annotated

from msgspec import Meta, field

from schemas.records.base import (
    AssetName,
    Measures,
    Milliseconds,
    ModelRef,
    Name,
    Record,
    ReleaseKind,
    ReleaseStage,
    Share,
    Sku,
    Text,
    Version,
    Yaml,
)


class ModelAdded(Record, frozen=True, kw_only=True, tag="ModelAdded", tag_field="type"):
    """A network that may be released. `manifest` is YAML; the graph lies in the blob store by the digest in it."""

    operation: Name
    model: ModelRef
    manifest: Yaml
    added_by: Text = ""
    added_at_ms: Milliseconds


class ModelReleased(Record, frozen=True, kw_only=True, tag="ModelReleased", tag_field="type"):
    """An operator decides where a network stands.

    shadow: it works beside the stable one on a share of the products, compared and not used. canary: it works for the
    tenants named and for a share of the products of others. stable: it works for all. withdrawn: it works for nobody,
    and with `recall` nothing that it made goes on or live any more: it is made again.
    """

    operation: Name
    model: ModelRef
    stage: ReleaseStage
    share: Share = 1.0
    tenants: Annotated[list[Name], Meta(max_length=1000)] = field(default_factory=list)
    recall: bool = False
    reason: Text = ""
    released_by: Text = ""
    released_at_ms: Milliseconds

    def __post_init__(self) -> None:
        if self.recall and self.stage != "withdrawn":
            raise ValueError("`recall` is for a model that is withdrawn")


class RecipeReleased(Record, frozen=True, kw_only=True, tag="RecipeReleased", tag_field="type"):
    """A recipe counts from now on, in this version. `text` is its YAML, which says the name and the version, too."""

    recipe: Name
    version: Version
    text: Yaml
    reason: Text = ""
    released_by: Text = ""
    released_at_ms: Milliseconds


class DefaultsReleased(Record, frozen=True, kw_only=True, tag="DefaultsReleased", tag_field="type"):
    """A tenant's default parameters count from now on, in this version. `text` is their YAML."""

    tenant: Name
    version: Version
    text: Yaml
    reason: Text = ""
    released_by: Text = ""
    released_at_ms: Milliseconds


class ChannelReleased(Record, frozen=True, kw_only=True, tag="ChannelReleased", tag_field="type"):
    """A channel's rules count from now on. `text` is their YAML.

    `version` is theirs as a number, 202611002 for 2026-11.2.
    """

    channel: Name
    version: Version
    text: Yaml
    reason: Text = ""
    released_by: Text = ""
    released_at_ms: Milliseconds


class PolicyReleased(Record, frozen=True, kw_only=True, tag="PolicyReleased", tag_field="type"):
    """Rules about texts count from now on, in the place of those of the same name. `text` is their YAML.

    `version` is theirs as a number, 202611002 for 2026-11.2.
    """

    policy: Name
    version: Version
    text: Yaml
    reason: Text = ""
    released_by: Text = ""
    released_at_ms: Milliseconds


class ReleaseContinued(Record, frozen=True, kw_only=True, tag="ReleaseContinued", tag_field="type"):
    """There are products left to be held against a release; whoever works on it tells itself so between two steps.

    `name` is that of a recipe, of the tenant of defaults or of a channel. The products behind `after_tenant` and
    `after_sku` are left.
    """

    kind: ReleaseKind
    name: Name
    version: Version
    after_tenant: Name
    after_sku: Sku


class PolicyContinued(Record, frozen=True, kw_only=True, tag="PolicyContinued", tag_field="type"):
    """As ReleaseContinued, of rules about texts."""

    policy: Name
    version: Version
    after_tenant: Name
    after_sku: Sku


class ShelfMeasured(Record, frozen=True, kw_only=True, tag="ShelfMeasured", tag_field="type"):
    """How a tenant's live pictures of one shelf look; from now on its pictures are held against that.

    A `shelf` is a channel, with what a campaign or a recipe calls the pictures before and after it. `version` is the
    Unix time in ms at which it was looked at. `medians` and `spreads` (1.4826 times the median deviation) are of the
    `pictures` that had the measure. The products of `outliers` have a picture that stands out, and are judged anew.
    """

    tenant: Name
    shelf: AssetName
    version: Version
    pictures: Annotated[int, Meta(ge=0, le=2**31 - 1)]
    medians: Measures
    spreads: Measures
    outliers: Annotated[list[Sku], Meta(max_length=1000)] = field(default_factory=list)
    measured_by: Text = ""
