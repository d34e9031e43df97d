"""Rules about what photographs show: flags, money, papers, or whatever a network of the operator's own knows. Pure."""

from typing import Annotated, Literal

from msgspec import Meta

from schemas.policies.scope import Scope
from schemas.records import Name

PREFIX = "picture_class_"  # of the measures, before the class's name


class PictureRule(Scope, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What follows where the classifier's score of the class `shows` is beyond `above`: a `review` is for a person, and
    what a rule would `refuse` fails. The names are those in `output.classes` of the model's manifest."""

    id: Name
    outcome: Literal["review", "refuse"]
    why: str
    shows: Name
    above: Annotated[float, Meta(ge=0.0, lt=1.0)]

    @property
    def measure(self) -> str:
        """The measure of a photograph that it goes by, 0..1."""
        return f"{PREFIX}{self.shows}"
