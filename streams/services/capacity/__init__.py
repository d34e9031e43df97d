"""What an installation needs: processes, partitions, storage, money a month; by figures that say where they are from.

Work is counted at its peak, money at its mean. A pool's workers are counted by what binds them first: their cores or
their GPU. Of a GPU on which no kernel of ours ever ran nothing is known but that it lies between two bounds: a network
that takes no time at all, where a worker is bound by its cores, and one that is no faster than a core of a processor.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from schemas.decoding import prepare
from schemas.topics import RETENTION_DAYS
from streams.runtime.errors import Refused
from streams.services.capacity.figures import NO_GPU, Figure, Figures, Range, load
from streams.services.reports.views import View

__all__ = ["Asked", "Capacity", "Need", "capacity", "load"]

DAY_S = 86_400.0
MONTH_HOURS = 730.0  # 365 × 24 / 12
GB = 1e9
MEASURED_ASSETS = 6.0  # of the product by which figures "of 6 assets" were measured: five channels and the web
PARTITIONS = (6, 12, 24, 48, 96, 192, 384)  # sizes that divide into each other's work evenly


@dataclass(frozen=True)
class Asked:
    """What is asked for. `changes` are those a day that need new pictures; `peak` is the busiest hour's rate to the
    mean; `use` the share of a worker's time that is planned for, 0 to 1; `years` how long changes are kept on topics.
    """

    products: int
    changes: int
    gpu: str = NO_GPU
    assets: float = 6.0
    peak: float = 3.0
    cores: float = 4.0
    use: float = 0.85
    replication: int = 3
    years: float = 1.0


class Need(View, frozen=True, kw_only=True):
    """One thing that is needed, from the least to the most, and by which figures that was counted."""

    group: str
    name: str
    low: float
    high: float
    unit: str
    how: str
    by: Sequence[str] = ()


class Capacity(View, frozen=True, kw_only=True):
    """All that is needed; `figures` are those it was counted by, `notes` what they do not tell."""

    needs: Sequence[Need]
    figures: Mapping[str, Figure]
    notes: Sequence[str]


@dataclass
class _Sheet:
    """Where needs are noted, and of the figures those that were asked for."""

    figures: Figures
    needs: list[Need] = field(default_factory=list)
    used: dict[str, Figure] = field(default_factory=dict)
    _latest: list[str] = field(default_factory=list)

    def of(self, part: str, name: str) -> Range:
        """A figure, noted as one that was asked for."""
        figure: Figure = getattr(self.figures, part)[name]
        self.used[f"{part}.{name}"] = figure
        self._latest.append(f"{part}.{name}")
        return figure.range

    def measured(self, name: str) -> Range:
        """One of those that were measured."""
        return self.of("measured", name)

    def note(self, group: str, name: str, amount: Range, unit: str, how: str) -> Range:
        """Notes a need, counted by the figures that were asked for since the last."""
        by, self._latest = list(dict.fromkeys(self._latest)), []
        self.needs.append(Need(group=group, name=name, low=amount.low, high=amount.high, unit=unit, how=how, by=by))
        return amount


def capacity(asked: Asked, figures: Figures) -> Capacity:
    """What is needed. Raises Refused for a GPU that has no price."""
    if _is_on_gpu(asked) and asked.gpu not in figures.gpus:
        known = ", ".join((NO_GPU, *figures.gpus))
        raise Refused(
            "unknown_gpu", f"no price of a {asked.gpu!r}: known are {known}; --prices names others", field="gpu"
        )
    sheet = _Sheet(figures)
    cores, gpus = _processes(asked, sheet)
    volumes, buckets = _storage(asked, sheet)
    _money(asked, sheet, cores, gpus, volumes, buckets)
    return Capacity(needs=sheet.needs, figures=sheet.used, notes=_notes(asked, figures))


def _processes(asked: Asked, sheet: _Sheet) -> tuple[Range, Range]:
    """Notes processes and partitions. Cores that work at the mean rate, and workers with a GPU that do."""
    changes = asked.changes / DAY_S
    sheet.note("load", "changes", Range(changes, changes * asked.peak), "a second", "at the mean; in the busiest hour")
    streams = sheet.measured("streams_change_cpu_s") * (changes * asked.assets / MEASURED_ASSETS)
    members = _members(asked, sheet, "streams", streams, 1.0)
    network = Range(0.0, 0.0) if _is_on_gpu(asked) else sheet.measured("network_cpu_s")
    cutting = (sheet.measured("cutout_cpu_s") + network) * changes
    engine = _engine(asked, sheet) * changes
    bound = Range(max(cutting.low / asked.cores, engine.low), max(cutting.high / asked.cores, engine.high))
    workers = _members(asked, sheet, "workers of the pool cutout", bound, asked.cores)
    composing = sheet.measured("asset_cpu_s") * (changes * asked.assets)
    composers = _members(asked, sheet, "workers of the pool compose", composing * (1 / asked.cores), asked.cores)
    publishing = sheet.measured("publish_cpu_s") * (changes * asked.assets)
    publishers = _members(asked, sheet, "publishers", publishing, 1.0)
    partitions = _partitions(_most(members, workers, composers, publishers))
    sheet.note("topics", "partitions", partitions, "each topic", "no group has more members that work")
    return streams + cutting + composing + publishing, bound


def _is_on_gpu(asked: Asked) -> bool:
    return asked.gpu != NO_GPU


def _engine(asked: Asked, sheet: _Sheet) -> Range:
    """Seconds of a GPU that a cutout takes: measured, or between the bounds."""
    if not _is_on_gpu(asked):
        return Range(0.0, 0.0)
    if asked.gpu in sheet.figures.engine:
        return sheet.of("engine", asked.gpu)
    return Range(0.0, sheet.measured("network_cpu_s").high)


def _members(asked: Asked, sheet: _Sheet, name: str, busy: Range, cores: float) -> Range:
    """Notes processes, for what keeps `busy` of them at work at the mean rate."""
    how = f"{cores:g} {'core' if cores == 1 else 'cores'} each, at {asked.peak:g} times the mean, {asked.use:.0%} used"
    return sheet.note("processes", name, (busy * (asked.peak / asked.use)).whole(), "processes", how)


def _most(*ranges: Range) -> Range:
    return Range(max(each.low for each in ranges), max(each.high for each in ranges))


def _partitions(members: Range) -> Range:
    low, high = (next((each for each in PARTITIONS if each >= count), count) for count in (members.low, members.high))
    return Range(low, high)


def _storage(asked: Asked, sheet: _Sheet) -> tuple[Range, Range]:
    """Notes bytes. GB on volumes, and in buckets."""
    size = asked.assets / MEASURED_ASSETS / GB
    kept = asked.products + asked.changes * 365 * asked.years
    records = sheet.measured("topics_week_bytes") * (asked.changes * RETENTION_DAYS)
    records += sheet.measured("topics_ever_bytes") * kept
    held = f"{RETENTION_DAYS:g} days, and {365 * asked.years:g} of what is kept for ever; {asked.replication} copies"
    volumes = sheet.note("storage", "topics", records * (asked.replication * size), "GB", held)
    rows = sheet.measured("database_bytes") * Range(asked.products, kept) * size
    volumes += sheet.note("storage", "database", rows, "GB", "one version of each product, or all that came")
    pictures = sheet.measured("origin_asset_bytes") * (asked.products * asked.assets / GB)
    buckets = sheet.note("storage", "origin", pictures, "GB", f"{asked.assets:g} assets of each product, live")
    blobs = sheet.measured("blobs_product_bytes") * Range(asked.products, kept) * size
    return volumes, buckets + sheet.note("storage", "blobs", blobs, "GB", "swept and pruned, or never")


def _money(asked: Asked, sheet: _Sheet, cores: Range, gpus: Range, volumes: Range, buckets: Range) -> None:
    hours = MONTH_HOURS / asked.use
    paid = sheet.of("prices", "core_hour") * cores * hours
    all_of_it = [sheet.note("month", "cores", paid, "USD", "those that work, at the mean")]
    if _is_on_gpu(asked):
        paid = sheet.of("gpus", asked.gpu) * gpus * hours
        how = "those that work, at the mean; none while nothing is due"
        all_of_it.append(sheet.note("month", "GPUs", paid, "USD", how))
    for name, gigabytes, price in (("volumes", volumes, "volume_gb_month"), ("buckets", buckets, "bucket_gb_month")):
        all_of_it.append(sheet.note("month", name, sheet.of("prices", price) * gigabytes, "USD", "stored"))
    total = Range(sum(each.low for each in all_of_it), sum(each.high for each in all_of_it))
    sheet.note("month", "in all", total, "USD", "without brokers' and the database's machines, traffic and requests")


def _notes(asked: Asked, figures: Figures) -> list[str]:
    """What the figures do not tell."""
    notes = []
    if _is_on_gpu(asked) and asked.gpu not in figures.engine:
        notes.append(
            f"no kernel of ours was ever timed on a GPU {asked.gpu}: a worker with one lies between a network that "
            f"takes no time, where its {asked.cores:g} cores bind, and one no faster than a core"
        )
    notes.append(
        "the figures are of rendered products on two shared cores without a GPU; nothing of this size ever ran"
    )
    notes.append("processes are for the busiest hour; deadlines, failures and zones want more")
    return notes


prepare(Need, Capacity)
