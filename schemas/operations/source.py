"""The parameters of a source that is taken as it is: there are none, and so one that is given is named."""

from schemas.operations.base import Operation, Parameters


class SourceParameters(Parameters, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A source is decoded and kept with all that is in it."""


OPERATION = Operation(
    name="source",
    summary="nothing: the source with all that is in it",
    pool="cutout",
    parameters=SourceParameters,
    makes="source",
)
