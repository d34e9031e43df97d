"""Why a picture is not enlarged."""

from schemas.errors import InputError


class UpscaleError(InputError, ValueError):
    """A picture that is not enlarged.

    UpscaleError
    ├── BadImage             not an 8- or 16-bit RGB or RGBA picture
    ├── UpscalingForbidden   the channel takes no enlarged pictures
    └── BadTiles              the network's tiles are not what they must be
    """

    code = "upscale_error"
    field = "inputs"


class BadImage(UpscaleError):
    """The array is not a picture this operation takes."""

    code = "bad_image"


class UpscalingForbidden(UpscaleError):
    """The channel takes no pictures that were enlarged."""

    code = "upscaling_forbidden"
    field = "channel"


class BadTiles(UpscaleError):
    """The network answers with tiles of another type or size."""

    code = "bad_look"
    field = "model"
