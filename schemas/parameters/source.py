"""The parameters of a source that is taken as it is: there are none, and so one that is given is named."""

from schemas.parameters.base import Parameters


class SourceParameters(Parameters, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A source is decoded and kept with all that is in it."""
