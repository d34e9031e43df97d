"""How pictures came about, for people: what a file says of itself, and what disclosure rules say of a live asset."""

from collections.abc import Sequence
from pathlib import Path

from gpu_workers.sources.errors import SourceError
from gpu_workers.sources.media_types import sniff_published
from schemas.decoding import prepare
from schemas.disclosures.applying import Applied, applied, argued, made_as, shipped
from streams.facts import Asset
from streams.publishing.signing.keys import anchors_of
from streams.publishing.signing.reading import FileProvenance, read
from streams.runtime.clock import now_ms
from streams.runtime.errors import Refused
from streams.runtime.settings import Settings
from streams.services.live.served import BODY_BYTES_MAX, Shopper
from streams.services.reports.status import open_database, tenants_of
from streams.services.reports.views import View


class ExplainedAsset(View, frozen=True, kw_only=True):
    """A live asset, how it was made in `sentences`, and every rule for its channel, with why it applies."""

    tenant: str
    sku: str
    asset: str
    channel: str
    sentences: Sequence[str]
    rules: Sequence[Applied]


class RuleView(View, frozen=True, kw_only=True):
    """A disclosure rule as it ships."""

    rule: str
    jurisdiction: str
    kind: str
    since: str
    channels: Sequence[str]
    made: Sequence[str]
    unsettled: str
    why: str
    source: str


def of_file(settings: Settings, place: str) -> FileProvenance:
    """What the file or the URL at `place` says of itself. Raises Refused, Unavailable."""
    data = _of_url(place) if place.startswith(("http://", "https://")) else _of_path(Path(place))
    try:
        media_type = sniff_published(data, place)
    except SourceError as error:
        raise Refused.because(error) from error
    return read(data, media_type, anchors_of(settings))


def explained(settings: Settings, sku: str, names: Sequence[str], tenant: str | None) -> list[ExplainedAsset]:
    """A product's live assets, or those named, with the rules that apply. Raises Refused where there is none."""
    with open_database(settings) as database:
        owners = tenants_of(database, sku, tenant)
        if len(owners) > 1:
            raise Refused("ambiguous_sku", f"{sku} is of {', '.join(owners)}: name the tenant", field="tenant")
        with database.read() as facts:
            live = {each.asset: each for each in facts.assets.of(owners[0], sku) if each.live is not None}
    if missing := sorted(set(names) - set(live)):
        message = f"{sku} has no live asset {', '.join(missing)}; live are: {', '.join(live) or 'none'}"
        raise Refused("unknown_asset", message, field="asset")
    return [_explained(each) for name, each in live.items() if not names or name in names]


def rules() -> list[RuleView]:
    """Every disclosure rule that ships."""
    return [
        RuleView(
            rule=f"{file.name}@{file.version}/{rule.id}",
            jurisdiction=file.jurisdiction,
            kind=rule.kind,
            since=rule.since.isoformat(),
            channels=rule.channels,
            made=rule.made,
            unsettled=rule.unsettled,
            why=rule.why,
            source=f"{file.source} (found {file.found})",
        )
        for file in shipped()
        for rule in file.rules
    ]


def _explained(asset: Asset) -> ExplainedAsset:
    assert asset.live is not None
    made = made_as(asset.live.provenance, asset.live.models)
    return ExplainedAsset(
        tenant=asset.tenant,
        sku=asset.sku,
        asset=asset.asset,
        channel=asset.live.channel,
        sentences=[*argued(made)],
        rules=applied(made, asset.live.channel, now_ms()),
    )


def _of_url(url: str) -> bytes:
    with Shopper() as shopper:
        served = shopper.get(url)
    if served.status != 200:
        raise Refused("not_served", f"{url} answers with {served.status}", field="url")
    return served.body


def _of_path(path: Path) -> bytes:
    if not path.is_file():
        raise Refused("no_file", f"{path} is no file, and no URL of http: or https:", field="file")
    if path.stat().st_size > BODY_BYTES_MAX:
        raise Refused("too_large", f"{path} has more than {BODY_BYTES_MAX:,} bytes", field="file")
    return path.read_bytes()


prepare(ExplainedAsset, RuleView)
