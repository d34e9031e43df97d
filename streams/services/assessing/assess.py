"""`packshot assess`: every picture that a shop shows is looked at, and some of the wrong ones are really mended."""

import dataclasses
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

import structlog

from gpu_workers.local.looking import Seen, look
from gpu_workers.local.studio import NoNetwork, Source, Studio
from gpu_workers.pools.limits import fetch_limits
from gpu_workers.sources.fetch import Fetched, SourceError, fetch
from schemas.channels import Channel
from schemas.channels.rulebook import Rulebook
from streams.runtime.errors import Refused, Unavailable
from streams.runtime.fields import Commas
from streams.runtime.observability import set_up_command
from streams.runtime.settings import Settings
from streams.services.assessing import faults
from streams.services.assessing.estimate import Business, Estimate, estimate
from streams.services.assessing.faults import KINDS, OF_PRODUCTS, Fault
from streams.services.assessing.listing import Product, products_of
from streams.services.assessing.remembered import Remembered
from streams.services.operating.roles import s3_client
from streams.services.ordering.local_render import open_studio

DEFAULT_CHANNEL = "google"  # what most shops' pictures have to be fit for
SEEN = "seen.jsonl"
OPERATION = "packshot"

Progress = Callable[[str, int, int], None]

log = structlog.get_logger()


@dataclass(frozen=True)
class Wanted:
    """What is to be assessed, for which channels where products name none, how many are to be mended for a look.

    `folder` keeps what was seen: a run that was ended goes on, and a later one looks only at what is new. With a
    `tenant` its page on the desk shows what was found.
    """

    source: str
    folder: Path
    channels: Sequence[str] = ()
    sample: int = 20
    business: Business = field(default_factory=Business)
    tenant: str | None = None


@dataclass(frozen=True)
class Shown:
    """One picture of a product, and what is wrong with it by channel. `seen` is None where it could not be read, and
    `uri` empty where it is the picture itself that is missing."""

    sku: str
    place: int
    uri: str
    seen: Seen | None
    faults: dict[str, list[Fault]]

    @property
    def has_a_place(self) -> bool:
        """Whether it stands among the pictures, if only as the one that a product lacks; no view does that is missing
        besides those that are there."""
        return self.uri != "" or self.place == 0


@dataclass(frozen=True)
class Mended:
    """A picture that was really made, for `channel`; `outcome` is the gates', or why there is none."""

    sku: str
    uri: str
    channel: str
    outcome: str
    why: str
    before: bytes
    after: bytes | None
    seconds: float


@dataclass(frozen=True)
class Row:
    """A kind of fault on a channel: of how many pictures, or of products where it is of none that is there, and in
    which share of those that the channel shows. `median` is the median of what was measured of them, and `limit` theirs
    that is the most frequent; None and "" where it is there or not."""

    channel: str
    kind: str
    pictures: int
    share: float
    median: float | None = None
    limit: str = ""


@dataclass(frozen=True)
class Assessment:
    """All that was found. `wrong` are the pictures with a fault on a channel; of the same photograph as the `mendable`
    ones a sound picture can be made."""

    source: str
    products: int
    pictures: int
    wrong: int
    mendable: int
    rows: list[Row]
    shown: list[Shown]
    mended: list[Mended]
    estimate: Estimate
    business: Business
    unread: list[str]
    seconds: float


def assess(settings: Settings, wanted: Wanted, progress: Progress) -> Assessment:
    """Looks at everything, mends a sample, and counts. Raises Refused where nothing can be assessed."""
    began_s = time.monotonic()
    set_up_command(settings)
    settings = reading_here(settings)
    listing = products_of(settings, wanted.source)
    if not listing.products:
        raise Refused("nothing_to_assess", f"{wanted.source} has no product", field="SOURCE")
    wanted.folder.mkdir(parents=True, exist_ok=True)
    with open_studio(settings, threads=settings.threads) as studio:
        rules = _rules_of(listing.products, wanted.channels, studio.rules)
        looking = _Looking(settings, studio, Remembered(wanted.folder / SEEN))
        shown = looking.at(listing.products, rules, progress)
        mended = list(_mend(settings, studio, _sample(shown, wanted.sample), listing.products, progress))
    wrong = [each for each in shown if each.uri and any(each.faults.values())]
    mendable = [each for each in wrong if _is_mended(each)]
    return Assessment(
        source=wanted.source,
        products=len(listing.products),
        pictures=sum(each.uri != "" for each in shown),
        wrong=len(wrong),
        mendable=len(mendable),
        rows=_rows(shown),
        shown=shown,
        mended=mended,
        estimate=_estimate(settings, wanted.business, len(mendable), mended),
        business=wanted.business,
        unread=listing.unread,
        seconds=round(time.monotonic() - began_s, 1),
    )


class _Looking:
    """Looks at pictures, several at a time; what was seen of a file once is remembered."""

    def __init__(self, settings: Settings, studio: Studio, remembered: Remembered) -> None:
        self._settings = settings
        self._studio = studio
        self._remembered = remembered

    def at(self, products: Sequence[Product], rules: dict[str, list[Channel]], progress: Progress) -> list[Shown]:
        """Every picture of every product, with what is wrong with it."""
        uris = list(dict.fromkeys(uri for product in products for uri in product.pictures))
        seen = self._seen(uris, progress)
        known = {
            product.sku: {
                place: each for place, uri in enumerate(product.pictures) if isinstance(each := seen[uri], Seen)
            }
            for product in products
        }
        twice = {sku: faults.of_product(pictures) for sku, pictures in known.items()}
        again = faults.shared(known)
        shown = [one for each in products for one in _shown(each, rules[each.sku], seen, twice[each.sku], again)]
        views = {sku: len(pictures) - len(twice[sku]) for sku, pictures in known.items()}
        return [*shown, *_missing(products, rules, views)]

    def _seen(self, uris: Sequence[str], progress: Progress) -> dict[str, Seen | Refused]:
        found: dict[str, Seen | Refused] = {}
        progress("pictures", 0, len(uris))
        with ThreadPoolExecutor(self._settings.threads, "assess") as threads:
            running = {threads.submit(self._look, uri): uri for uri in uris}
            try:
                for done, each in enumerate(as_completed(running), 1):
                    found[running[each]] = each.result()
                    progress("pictures", done, len(uris))
            finally:
                for each in running:
                    each.cancel()
        return found

    def _look(self, uri: str) -> Seen | Refused:
        try:
            file = fetched(self._settings, uri)
            seen = self._remembered.of(file.sha256)
            if seen is None:
                seen = look(self._studio, file.data, file.sha256, uri)
                self._remembered.add(seen)
        except (NoNetwork, Unavailable):
            raise
        except Refused as refusal:
            return refusal
        except Exception as error:  # a picture that nobody foresaw is an answer, too
            log.exception("a picture broke what looks at it", source=uri)
            return Refused("unexpected", f"{uri}: {type(error).__name__}: {error}", field="sources")
        return seen


def fetched(settings: Settings, uri: str) -> Fetched:
    """The file at an address. Raises Refused."""
    try:
        return fetch(uri, fetch_limits(settings), s3=s3_client(settings))
    except SourceError as error:
        raise Refused.because(error) from error


def _shown(
    product: Product,
    rules: Sequence[Channel],
    seen: Mapping[str, Seen | Refused],
    twice: Mapping[int, Fault],
    shared: Mapping[tuple[str, int], Fault],
) -> Iterator[Shown]:
    if not product.pictures:
        yield Shown(product.sku, 0, "", None, {each.name: [Fault("missing")] for each in rules})
    for place, uri in enumerate(product.pictures):
        one = seen[uri]
        if isinstance(one, Refused):
            broken = Fault("unreadable", text=f"{one.code}: {one.message}")
            yield Shown(product.sku, place, uri, None, {each.name: [broken] for each in rules})
            continue
        besides = [each for each in (twice.get(place), shared.get((product.sku, place))) if each is not None]
        found = {each.name: [*faults.of_picture(one, each, is_main=place == 0), *besides] for each in rules}
        yield Shown(product.sku, place, uri, one, found)


def _missing(
    products: Sequence[Product], rules: Mapping[str, Sequence[Channel]], views: Mapping[str, int]
) -> Iterator[Shown]:
    """The next picture of each product that is shown in fewer different ones (`views`) than are advised or usual."""
    counts: dict[str, list[int]] = defaultdict(list)
    for each in products:
        counts[each.category].append(views[each.sku])
    usual = faults.usual(counts)
    for each in products:
        lacks = {one.name: faults.of_views(views[each.sku], usual[each.category], one) for one in rules[each.sku]}
        if found := {channel: [fault] for channel, fault in lacks.items() if fault is not None}:
            yield Shown(each.sku, len(each.pictures), "", None, found)


def _rules_of(products: Sequence[Product], named: Sequence[str], rulebook: Rulebook) -> dict[str, list[Channel]]:
    """The rules for each product: of the channels named, else of its own, else of the default one. Raises Refused."""
    unknown = sorted({*named} - {*rulebook.names()})
    if unknown:
        raise Refused(
            "unknown_channel", f"no channel is called {unknown[0]!r}; there are: {', '.join(rulebook.names())}"
        )
    return {
        each.sku: [
            rulebook.load(name, each.category)
            for name in named or [own for own in each.channels if own in rulebook.names()] or [DEFAULT_CHANNEL]
        ]
        for each in products
    }


def _is_mended(shown: Shown) -> bool:
    """Whether a sound main picture can be made of the photograph: nothing of it is wrong that takes a new one."""
    kinds = {fault.kind for found in shown.faults.values() for fault in found}
    return shown.place == 0 and bool(kinds) and all(KINDS[kind].is_mended for kind in kinds)


def _sample(shown: Sequence[Shown], most: int) -> list[Shown]:
    """Some that can be mended, of every set of faults in turn, so that rare ones are among them."""
    by_kind: dict[tuple[str, ...], list[Shown]] = defaultdict(list)
    for each in filter(_is_mended, shown):
        kinds = {fault.kind for found in each.faults.values() for fault in found}
        by_kind[tuple(sorted(kinds))].append(each)
    turns = ((turn, kinds, each) for kinds, its in by_kind.items() for turn, each in enumerate(its))
    return [each for _, _, each in sorted(turns, key=lambda turn: turn[:2])][:most]


def _mend(
    settings: Settings, studio: Studio, sample: Sequence[Shown], products: Sequence[Product], progress: Progress
) -> Iterator[Mended]:
    categories = {each.sku: each.category for each in products}
    progress("mended", 0, len(sample))
    for done, each in enumerate(sample, 1):
        channel = next(name for name, found in each.faults.items() if found)
        yield _mended(settings, studio, each, channel, categories[each.sku])
        progress("mended", done, len(sample))


def _mended(settings: Settings, studio: Studio, shown: Shown, channel: str, category: str) -> Mended:
    began_s = time.process_time()
    before, after, outcome = b"", None, "none"
    try:
        file = fetched(settings, shown.uri)
        before = file.data
        made = studio.render(studio.order(OPERATION, channel, category, {}), [Source(shown.uri, file)])
        assert made.verdict is not None
        after, outcome = made.file, made.verdict.outcome
        why = ", ".join(sorted({each.name for each in made.verdict.checks if each.outcome in ("review", "fail")}))
    except (NoNetwork, Unavailable):
        raise
    except Refused as refusal:
        why = f"{refusal.code}: {refusal.message}"
    except Exception as error:  # as above
        log.exception("a picture broke what mends it", source=shown.uri)
        why = f"unexpected: {type(error).__name__}: {error}"
    return Mended(shown.sku, shown.uri, channel, outcome, why, before, after, time.process_time() - began_s)


def _rows(shown: Sequence[Shown]) -> list[Row]:
    """The faults by channel, the most frequent first, of its pictures or of its products."""
    pictures = Counter(channel for each in shown if each.uri for channel in each.faults)
    products = Counter(channel for _, channel in {(each.sku, channel) for each in shown for channel in each.faults})
    found: dict[tuple[str, str], list[Fault]] = defaultdict(list)
    for channel, fault in ((channel, each) for one in shown for channel, its in one.faults.items() for each in its):
        found[channel, fault.kind].append(fault)
    rows = [
        Row(
            channel, kind, len(its), len(its) / (products if kind in OF_PRODUCTS else pictures)[channel], *_typical(its)
        )
        for (channel, kind), its in found.items()
    ]
    return sorted(rows, key=lambda row: (row.channel, -row.pictures, row.kind))


def _typical(its: Sequence[Fault]) -> tuple[float | None, str]:
    """How far pictures with a fault of one kind are off: see Row."""
    measured = [each.measured for each in its if each.measured is not None]
    limit = Counter(each.limit for each in its).most_common(1)[0][0]
    is_there_or_not = limit == "≥ 1" and {*measured} <= {0.0}
    return (None, "") if is_there_or_not or not measured else (median(measured), limit)


def _estimate(settings: Settings, business: Business, mendable: int, mended: Sequence[Mended]) -> Estimate:
    pictures = mendable if business.pictures_a_month is None else business.pictures_a_month
    passed = sum(each.outcome == "pass" for each in mended)
    seconds = sum(each.seconds for each in mended) / max(1, len(mended))
    return estimate(business, pictures, passed, len(mended), seconds, settings.price_cpu_hour)


def reading_here(settings: Settings) -> Settings:
    """Whoever has a shop assessed may read this machine's files anyway, where no folder is named."""
    if settings.source_file_roots:
        return settings
    return dataclasses.replace(settings, source_file_roots=Commas("/"))
