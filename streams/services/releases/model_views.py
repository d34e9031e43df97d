"""What is told of models."""

from gpu_workers.models.manifest import Model
from schemas.decoding import prepare
from streams.facts import Comparison
from streams.services.releases.models import Row
from streams.services.reports.views import View


class ModelView(View, frozen=True, kw_only=True):
    """A model: where it stands, whether its graph is on this machine, what became of its work, and its manifest."""

    ref: str
    stage: str
    is_here: bool
    live: int
    in_review: int
    shadow: Comparison | None
    manifest: Model


def model_view(row: Row) -> ModelView:
    """A model as it is told."""
    return ModelView(
        ref=row.model.ref,
        stage=row.stage,
        is_here=row.is_here,
        live=row.live,
        in_review=row.in_review,
        shadow=row.comparison,
        manifest=row.model,
    )


prepare(ModelView)
