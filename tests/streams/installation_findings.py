"""What is wrong with an installation: what an audit would find, and what only who has seen everything can tell."""

from collections.abc import Iterator

from schemas import codec, topics
from schemas.envelope import as_mapping
from schemas.records import (
    TaskCompleted,
    TaskFailed,
)
from schemas.releases import recalled
from streams.facts import Review
from streams.flow.processors.planning import lineages, request_of
from streams.flow.processors.settling import by_cases
from streams.publishing import manifest as manifests
from streams.services.audit.announcements import Announcements
from streams.services.audit.findings import Finding
from streams.services.audit.products import ProductView, disagreements, stuck
from streams.services.audit.tasks import TaskLedger
from tests.streams.installation import RETRIES, Installation


def findings(installation: Installation) -> list[Finding]:
    """What is wrong once everything has come to rest."""
    tasks = TaskLedger({place: len(records) for place, records in installation.log.items()})
    names = {topic.name for topic in topics.TASKS.values()}
    for record in installation.on(*names):
        tasks.written(record)
    for record in installation.on(*RETRIES):
        if as_mapping(record.headers)["packshot-origin-topic"] in names:
            tasks.retried(record)
    for letter in installation.dead_letters():
        if letter.origin in names:
            tasks.died(letter.record, is_open=True)
    for record in installation.on(topics.COMPLETED.name):
        event = codec.decode(record.value)
        assert isinstance(event, TaskCompleted | TaskFailed)
        tasks.note(event)
    announcements = Announcements()
    for record in installation.on(topics.PUBLISHED.name):
        announcements.note(codec.decode(record.value))
    lost = [finding for finding in tasks.findings() if finding.kind == "lost"]  # engines change: runs may conflict
    products = [
        finding for view in _views(installation, announcements) for finding in (*disagreements(view), *stuck(view))
    ]
    people = [*_recalled_and_live(installation), *_outdated_and_live(installation), *_held_and_live(installation)]
    desk = [*_retouched_since(installation), *_asked_for_nothing(installation)]
    return [*lost, *announcements.findings, *products, *people, *desk]


def _retouched_since(installation: Installation) -> Iterator[Finding]:
    """What is live but was cut out as it was before a person had it otherwise."""
    with installation.database.read() as facts:
        for asset in facts.assets.every():
            product = facts.products.get(asset.tenant, asset.sku)
            if asset.state != "published" or asset.live is None or product is None or product.deleted:
                continue
            known = facts.retouches.get(asset.tenant, asset.sku, product.event.sources[0])
            if known is not None and known.parameters and not installation.retouched[asset.live.file.sha256]:
                yield Finding("stuck", f"{asset.sku} {asset.asset}", "live as it was before it was retouched")


def _asked_for_nothing(installation: Installation) -> Iterator[Finding]:
    """What a person is asked about though all of its cases are settled."""
    with installation.database.read() as facts:
        for review in facts.reviews.every():
            if review.last is None and by_cases(review.request, 0, facts) is not None:
                yield Finding("stuck", review.asset, "waits, and its cases are decided")


def _held_and_live(installation: Installation) -> Iterator[Finding]:
    """What is live although the last word on just this result is not to publish it."""
    with installation.database.read() as facts:
        for review in facts.reviews.every(pending=False):
            task = review.request.completed.task
            manifest, _ = manifests.load(installation.origin, task.tenant, task.sku)
            live = manifest.assets.get(review.asset) if manifest else None
            is_held = review.state in ("pending", "rejected") and review.last is not None and not review.is_lapsed
            if is_held and live is not None and live.approved_by and _is_of(review, live.result_id):
                yield Finding("stuck", f"{task.sku} {review.asset}", f"live, and {review.state} by a person")


def _is_of(review: Review, result_id: str) -> bool:
    return review.request.completed.result_id == result_id


def _recalled_and_live(installation: Installation) -> Iterator[Finding]:
    with installation.database.read() as facts:
        gone = recalled(facts.models.releases())
        for asset in facts.assets.every():
            if asset.state == "published" and asset.live and gone.intersection(asset.live.models):
                yield Finding("stuck", f"{asset.sku} {asset.asset}", f"made by {asset.live.models}, recalled")


def _outdated_and_live(installation: Installation) -> Iterator[Finding]:
    """What is live but would be made in another way today."""
    with installation.database.read() as facts:
        for product, campaigns in facts.recipes.wanting():
            requests = [request_of(product), *map(request_of, campaigns)]
            now = {
                name: lineage
                for request in requests
                for name, lineage in lineages(product, request, facts.recipes.cookbook()).items()
            }
            for asset in facts.assets.of(product.tenant, product.sku):
                live = asset.live if asset.state == "published" else None
                if live is not None and now.get(asset.asset) not in installation.lineages[live.file.sha256]:
                    yield Finding("stuck", f"{asset.sku} {asset.asset}", "live as an older recipe made it")


def _views(installation: Installation, announcements: Announcements) -> Iterator[ProductView]:
    with installation.database.read() as facts:
        for (tenant, sku), (version, deleted) in facts.products.every().items():
            manifest, _ = manifests.load(installation.origin, tenant, sku)
            assets = {asset.asset: asset for asset in facts.assets.of(tenant, sku)}
            announced = announcements.live.get((tenant, sku), {})
            reviewed = {asset for _, its, asset in facts.cases.waiting_assets() if its == sku}
            yield ProductView(tenant, sku, version, deleted, assets, manifest, announced, reviewed)
