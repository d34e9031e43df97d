"""What can be wrong with a product photograph, for fetching and for decoding.

SourceError                a picture that cannot be had or used: `code`, `uri`, `field`, `transient`
├── BadUri                 no scheme, host or path that we know; a user name or password in the address
├── SourceNotFound         nothing there (410, no such file, no such bucket); 404 and no such key may be
│                          there in a moment, when stores and CDNs have caught up with the event  (transient)
├── SourceForbidden        outside the allowed folders and buckets, or the server refuses us (401, 403)
├── PrivateAddress         a host, or a redirect's, that is not on the public internet
├── SourceRefused          an answer that no repetition mends (400, too many redirects, a packed body)
├── SourceUnavailable      no connection, 429, 5xx, a body cut off; try again      (transient)
├── SourceTimeout          not all there by the deadline; try again                (transient)
├── SourceTooLarge         more bytes than the limit
├── DigestMismatch         other bytes than the catalogue promised
├── NotAnImage             by their content, bytes of no picture format that we read
└── PictureError           what decoding finds wrong with a picture's bytes
    ├── TruncatedPicture   it ends too early
    ├── CorruptPicture     its format's rules are broken
    ├── UnreadPicture      whole, but of a kind that we do not read: a camera's raw file, HDR, HEVC, samples of 32 bits
    ├── TooManyPixels      more than the limit, by its header
    └── TooFewPixels       a side shorter than the limit
"""

from typing import ClassVar

from schemas.errors import InputError


class SourceError(InputError):
    """A picture that cannot be had or used. `transient` says whether trying again may help."""

    code: ClassVar[str] = "source_error"
    field = "sources"

    def __init__(self, uri: str, message: str) -> None:
        super().__init__(f"{uri}: {message}" if uri else message)
        self.uri = uri


class BadUri(SourceError):
    code = "source_bad_uri"


class SourceNotFound(SourceError):
    code = "source_not_found"

    def __init__(self, uri: str, message: str, *, transient: bool = False) -> None:
        super().__init__(uri, message)
        self.transient = transient


class SourceForbidden(SourceError):
    code = "source_forbidden"


class PrivateAddress(SourceError):
    code = "source_private_address"


class SourceRefused(SourceError):
    code = "source_refused"


class SourceUnavailable(SourceError):
    code = "source_unavailable"
    transient = True


class SourceTimeout(SourceError):
    code = "source_timeout"
    transient = True


class SourceTooLarge(SourceError):
    code = "source_too_large"


class DigestMismatch(SourceError):
    code = "source_digest_mismatch"


class NotAnImage(SourceError):
    code = "source_not_an_image"


class PictureError(SourceError):
    """Base of what decoding finds wrong with a picture's bytes."""


class TruncatedPicture(PictureError):
    code = "source_truncated"


class CorruptPicture(PictureError):
    code = "source_corrupt"


class UnreadPicture(PictureError):
    code = "source_not_read"


class TooManyPixels(PictureError):
    code = "source_too_many_pixels"


class TooFewPixels(PictureError):
    code = "source_too_few_pixels"
