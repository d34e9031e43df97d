"""What a shopper is served: a picture's URL as a browser asks for it, bounded in time and size."""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Self

import httpx

from streams.runtime.errors import Refused, Unavailable

TIMEOUT_S = 30.0  # for each part of an answer
BODY_S_MAX = 120.0  # for all of it
BODY_BYTES_MAX = 64 * 1024 * 1024  # of what we make nothing is larger
REDIRECTS_MAX = 3
# What browsers ask for where an `img` is: what stands behind a CDN may convert pictures by it.
ACCEPT = "image/avif,image/webp,image/apng,image/svg+xml,image/*,*/*;q=0.8"


@dataclass(frozen=True)
class Served:
    """An answer: its status, headers in lower case, whole body, and how long it took from asking to its last byte."""

    url: str
    status: int
    headers: Mapping[str, str]
    body: bytes
    latency_ms: float


class Shopper:
    """Asks for URLs as a browser does; a context manager, for one thread."""

    def __init__(self, timeout_s: float = TIMEOUT_S) -> None:
        self._client = httpx.Client(
            timeout=timeout_s,
            follow_redirects=True,
            max_redirects=REDIRECTS_MAX,
            trust_env=False,
            headers={"Accept": ACCEPT, "User-Agent": "Mozilla/5.0 (compatible; packshot-probe)"},
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, _type: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        self._client.close()

    def get(self, url: str) -> Served:
        """What is served there. Raises Unavailable where nothing answers, Refused for what is no URL or too large."""
        began = time.perf_counter()
        try:
            with self._client.stream("GET", url) as response:
                body = _body(url, response)
                took_ms = (time.perf_counter() - began) * 1000
                headers = {name.lower(): value for name, value in response.headers.items()}
                return Served(str(response.url), response.status_code, headers, body, took_ms)
        except httpx.InvalidURL as error:
            raise Refused("bad_url", f"{url!r} is no URL: {error}", field="url") from error
        except httpx.TooManyRedirects as error:
            raise Refused("bad_url", f"{url} leads on more than {REDIRECTS_MAX} times", field="url") from error
        except httpx.HTTPError as error:
            raise Unavailable(f"{url} does not answer: {error or type(error).__name__}") from error
        except ValueError as error:  # a host, perhaps one that a redirect names, that can be none: httpx looks it up
            raise Refused("bad_url", f"{url} leads to no host: {error}", field="url") from error


def _body(url: str, response: httpx.Response) -> bytes:
    parts, size_bytes, ends_at_s = [], 0, time.monotonic() + BODY_S_MAX
    for part in response.iter_bytes():
        size_bytes += len(part)
        if size_bytes > BODY_BYTES_MAX:
            raise Refused("too_large", f"{url} answers with more than {BODY_BYTES_MAX:,} bytes", field="url")
        if time.monotonic() > ends_at_s:
            raise Unavailable(f"{url} is not all there within {BODY_S_MAX:g} s")
        parts.append(part)
    return b"".join(parts)
