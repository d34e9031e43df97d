"""What every operation's parameters have in common: they are written as text, and one that is wrong is named."""

from collections.abc import Mapping
from typing import Annotated, Self

import msgspec
from msgspec import Meta, field

from schemas.channels import Size
from schemas.text import explained, whole


class BadParameters(ValueError):
    """Parameters that an operation does not have or cannot use; `field` names the one at fault."""

    code = "bad_parameters"
    transient = False

    def __init__(self, message: str, field: str) -> None:
        super().__init__(message)
        self.field = field


OutputSize = Annotated[str, Meta(pattern=whole("[1-9][0-9]{1,4}x[1-9][0-9]{1,4}"))]


class Parameters(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The parameters of one operation, under the names that merchants know."""

    @classmethod
    def parse(cls, values: Mapping[str, str]) -> Self:
        """From the texts of a step. Raises BadParameters naming the parameter."""
        fields = {field.encode_name: field for field in msgspec.structs.fields(cls)}
        for name in values:
            if name not in fields:
                raise BadParameters(f"`{name}` is no parameter of this operation; there are: {', '.join(fields)}", name)
        for name, known in fields.items():
            if known.required and name not in values:
                raise BadParameters(f"`{name}` must be given", name)
        for name, value in values.items():
            try:
                msgspec.convert(value, fields[name].type, strict=False)
            except msgspec.ValidationError as error:
                raise BadParameters(f"`{name}` = {value!r}: {explained(str(error))}", name) from error
        return msgspec.convert(dict(values), cls, strict=False)


class SizedParameters(Parameters, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Those of an operation whose picture may have another size than is usual. `outputSize`: WIDTHxHEIGHT in pixels."""

    output_size: OutputSize | None = field(default=None, name="outputSize")

    @property
    def size(self) -> Size | None:
        """`outputSize`, if it was given."""
        if self.output_size is None:
            return None
        width, height = self.output_size.split("x")
        return Size(int(width), int(height))
