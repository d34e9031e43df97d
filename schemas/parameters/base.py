"""What every operation's parameters have in common: they are written as text, and one that is wrong is named."""

from collections.abc import Mapping
from typing import Self

import msgspec


class BadParameters(ValueError):
    """Parameters that an operation does not have or cannot use; `field` names the one at fault."""

    code = "bad_parameters"
    transient = False

    def __init__(self, message: str, field: str) -> None:
        super().__init__(message)
        self.field = field


class Parameters(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The parameters of one operation, under the names that merchants know."""

    @classmethod
    def parse(cls, values: Mapping[str, str]) -> Self:
        """From the texts of a step. Raises BadParameters naming the parameter."""
        for name in values:
            if name not in cls.__struct_encode_fields__:
                known = ", ".join(cls.__struct_encode_fields__)
                raise BadParameters(f"`{name}` is no parameter of this operation; there are: {known}", name)
        for name, value in values.items():
            try:
                msgspec.convert({name: value}, cls, strict=False)
            except msgspec.ValidationError as error:
                raise BadParameters(f"`{name}` = {value!r}: {error}", name) from error
        return msgspec.convert(dict(values), cls, strict=False)
