"""The processors on a database of their own, without a broker: what a test writes comes back as answers."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from schemas import codec, topics
from schemas.codec import HASHED, Codec
from schemas.envelope import as_mapping
from schemas.records import (
    AssetPublished,
    Blob,
    CatalogChanged,
    Event,
    PublishRequested,
    Rendition,
    Source,
    Task,
    TaskCompleted,
)
from streams.consumer.letters import ERROR_CODE, Delivery, Outgoing, RetryPolicy, outgoing
from streams.facts import Asset, Database
from streams.flow.processing import Processing

GOOD = {
    "width_px": 1600.0,
    "height_px": 1600.0,
    "size_bytes": 200_000.0,
    "format_allowed": 1.0,
    "background_exact_share": 1.0,
    "background_near_share": 1.0,
    "background_as_channel": 1.0,
    "fill": 0.86,
    "scale": 1.0,
    "canvas_difference_max": 1.0,
    "product_difference_mean": 0.5,
    "cropped_edges": 0.0,
    "alpha_partial_share": 0.02,
    "alpha_soft_share": 0.02,
    "alpha_open_rim_share": 0.0,
    "alpha_coverage": 0.4,
    "has_srgb_profile": 1.0,
    "has_source_type": 1.0,
    "colour_difference_median": 0.3,
    "colour_difference_p95": 0.8,
    "text_edit_distance": 0.0,
    "text_lost": 0.0,
    "codes_lost": 0.0,
    "cutout.overlay_words": 0.0,
    "cutout.watermark_words": 0.0,
}
OF_OPERATION = {
    "cutout": {"uncertainty": 0.05, "person_share": 0.0},
    "mockup": {
        "has_scene": 1.0, "in_frame": 1.0, "visible_share": 1.0, "height_error": 0.0, "product_delta_e_median": 0.3,
    },
    "showcase": {
        "has_scene": 1.0, "in_frame": 1.0, "visible_share": 1.0, "height_error": 0.0, "product_delta_e_median": 0.3,
        "clip_bytes": 600_000.0, "clip_bt709": 1.0, "clip_layer_delta_e": 0.3, "clip_delta_e_mean": 1.5,
        "clip_loop_difference": 0.0,
    },
    "model": {
        "virtual_model": 1.0, "in_frame": 1.0, "landmark_asymmetry": 0.01, "neck_contrast": 3.0, "let_out": 1.0,
        "drape_stretch_p99": 1.3, "seam_off_shoulder_cm": 1.5, "print_stretch_p5": 0.98, "print_stretch_p95": 1.08,
        "through_body_mm": 0.0, "bare_share": 0.0, "light_divided_delta_e": 0.3,
    },
    "artwork": {"effective_dpi": 200.0, "print_ssim": 0.99},
    "style": {"product_delta_e_median": 0.3, "product_delta_e_p95": 0.8},
    "label": {
        "product_delta_e_median": 0.3, "product_delta_e_p95": 0.8, "label_off": 1.0, "label_over_product": 0.0,
    },
    "upscale": {"upscaled_by": 2.0},
}  # fmt: skip
"""What some operations measure besides."""


@dataclass
class Recorder:
    """A sender that keeps what it is given."""

    records: list[Outgoing] = field(default_factory=list)
    codec: Codec = HASHED

    def send(self, records: Sequence[Outgoing]) -> None:
        self.records += records


class Flow:
    """Delivers events to the processors one at a time and keeps count of offsets."""

    def __init__(self, database: Database, retry_delays_ms: Sequence[int] = (1000,)) -> None:
        self.database = database
        self.recorder = Recorder()
        self.processing = Processing(database, self.recorder, RetryPolicy(retry_delays_ms))
        self._offset = 0

    def say(self, event: Event) -> list[Event]:
        """Delivers an event; returns the events that follow. Letters are left out."""
        record = outgoing(event, "test")
        return [codec.decode(each.value) for each in self.deliver(record) if not _is_letter(each)]

    def letters(self, event: Event, attempt: int = 0) -> list[tuple[str, str]]:
        """Delivers an event; returns topic and error code of the letters that it makes."""
        record = outgoing(event, "test")
        record = Outgoing(
            record.topic, record.key, record.value, [*record.headers, ("packshot-attempt", str(attempt).encode())]
        )
        written = self.deliver(record)
        return [(each.topic, as_mapping(each.headers)[ERROR_CODE]) for each in written if _is_letter(each)]

    def deliver(self, record: Outgoing) -> list[Outgoing]:
        """Delivers a record; returns what is written."""
        self.recorder.records.clear()
        self._offset += 1
        delivery = Delivery(record.topic, 0, self._offset, record.key, record.value, record.headers)
        self.processing.run([delivery])
        return list(self.recorder.records)

    def states(self, sku: str = "A", tenant: str = "demo") -> dict[str, str]:
        """The state of each asset of a product."""
        return {asset.asset: asset.state for asset in self.assets(sku, tenant)}

    def assets(self, sku: str = "A", tenant: str = "demo") -> list[Asset]:
        """The assets of a product."""
        with self.database.read() as facts:
            return facts.assets.of(tenant, sku)


def upsert(
    version: int = 1, sku: str = "A", channels: Sequence[str] = ("amazon",), photo: str = "a.jpg"
) -> CatalogChanged:
    """A catalogue event."""
    sources = [Source(uri=f"https://images.example/{photo}")]
    return CatalogChanged(tenant="demo", sku=sku, version=version, sources=sources, channels=list(channels))


def blob(digest: str = "a") -> Blob:
    """A picture in the blob store."""
    return Blob(role="x", digest=digest * 64, media_type="image/png", width_px=10, height_px=10, size_bytes=10)


def done(task: Task, **measures: float) -> TaskCompleted:
    """The completion of a task, with good measures but for those given."""
    good = GOOD | OF_OPERATION.get(task.step.operation, {})
    return TaskCompleted(
        task=task, outcome="done", outputs=[blob()], measures=good | measures, result_id="b" * 64, engine="test"
    )


def tasks(events: Sequence[Event]) -> list[Task]:
    """The tasks among events."""
    return [event for event in events if isinstance(event, Task)]


def published(request: PublishRequested) -> AssetPublished:
    """What the publisher announces when it has carried a request out."""
    file = Rendition(
        key="k",
        url="http://cdn/k",
        media_type="image/jpeg",
        width_px=9,
        height_px=9,
        size_bytes=9,
        sha256=request.file.digest,
    )
    return AssetPublished(
        tenant=request.tenant,
        sku=request.sku,
        version=request.version,
        asset=request.asset,
        channel=request.channel,
        file=file,
        renditions=[],
        srcset={},
        verdict=request.verdict,
        engine="test",
        manifest_url="http://cdn/m",
        published_at_ms=1,
        models=request.models,
    )


def _is_letter(record: Outgoing) -> bool:
    return record.topic == topics.DEAD.name or record.topic.startswith(topics.PREFIX + "retry.")
