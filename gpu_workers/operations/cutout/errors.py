"""Why no cutout can be made of a picture."""

from schemas.errors import InputError


class CutoutError(InputError, ValueError):
    """No cutout can be made of this picture.

    CutoutError
    ├── BadImage    not an 8- or 16-bit RGB or RGBA picture
    └── NoSubject   nothing stands out from the background
    """

    code = "bad_image"
    field = "sources"


class BadImage(CutoutError):
    """The array is not a picture this operation takes."""


class NoSubject(CutoutError):
    """The picture shows nothing that could be a product."""

    code = "no_subject"
