"""The ledger of announcements: what listing services believe to be live, and what they were told twice or too late."""

from schemas.identity import content_id
from schemas.records import AssetPublished, AssetRetracted, Event, ProductPublished
from streams.services.audit.findings import Finding, Kind

Product = tuple[str, str]


class Announcements:
    """Is shown the published topic, each product in its order."""

    def __init__(self) -> None:
        self.live: dict[Product, dict[str, AssetPublished]] = {}
        self.findings: list[Finding] = []
        self.count = 0
        self._seen: set[str] = set()

    def note(self, event: Event) -> None:
        """The next announcement."""
        assert isinstance(event, AssetPublished | AssetRetracted | ProductPublished)
        self.count += isinstance(event, AssetPublished)
        identity = content_id(type(event).__name__, event)
        if identity in self._seen:
            self._find("double_published", event, "announced a second time")
        self._seen.add(identity)
        live = self.live.setdefault((event.tenant, event.sku), {})
        if isinstance(event, AssetPublished):
            self._compare(event, live.get(event.asset), again=identity)
            live[event.asset] = event
        elif isinstance(event, AssetRetracted):
            live.pop(event.asset, None)

    def _compare(self, event: AssetPublished, before: AssetPublished | None, again: str) -> None:
        if before is None or content_id("AssetPublished", before) == again:
            return
        same_file = (before.version, before.file.sha256) == (event.version, event.file.sha256)
        same_reason = (before.models, before.verdict.rules) == (event.models, event.verdict.rules)
        if same_file and same_reason:
            self._find("double_published", event, "the same file was announced again while it was live")
        elif before.version > event.version:
            self._find("stale_published", event, f"announced after version {before.version}")

    def _find(self, kind: Kind, event: AssetPublished | AssetRetracted | ProductPublished, text: str) -> None:
        asset = f" {event.asset}" if isinstance(event, AssetPublished | AssetRetracted) else ""
        name = f"{event.tenant}|{event.sku}{asset} v{event.version}"
        self.findings.append(Finding(kind, name, f"{type(event).__name__}: {text}", event.tenant))
