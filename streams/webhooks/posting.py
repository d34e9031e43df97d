"""One POST to an endpoint that nobody trusts: bounded in time and size, never to an address inside.

Addresses are checked after the name is resolved, and the connection is made to the very addresses that were checked.
"""

import asyncio
import re
import socket
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from types import TracebackType
from urllib.parse import SplitResult, urlsplit

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.resolver import ThreadedResolver

from schemas.networks import is_public, is_within
from schemas.text import MESSAGE_MAX, printable
from streams.runtime.errors import Refused
from streams.runtime.masking import masked
from streams.webhooks.schedule import Answer

TIMEOUT_S = 15.0  # the standard's advice is 15 to 30
ANSWER_BYTES_MAX = 1024
URL_MAX = 2048
LOOKUPS_EACH = 3  # of a connection at once: a name that nobody answers for is looked up after its request is given up
_LETTER = re.compile(r"[A-Za-z]")
_HEADERS = {"User-Agent": "packshot", "Content-Type": "application/json", "Accept-Encoding": "identity"}


class PrivateAddress(Exception):
    """An endpoint lies on an address that is not on the public internet."""


def check_url(url: str, networks: tuple[str, ...]) -> None:
    """Raises Refused for what can be no endpoint; what its name resolves to is only looked at when it is called.

    Without encryption only hosts on `networks`, which are allowed although they are private, may be named.
    """
    parts = _split(url)
    if len(url) > URL_MAX or not url.isascii() or not url.isprintable() or " " in url:
        raise Refused("bad_url", f"an endpoint's URL is printable ASCII, of {URL_MAX} characters at most", field="url")
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise Refused("bad_url", "an endpoint's URL is https://host/…", field="url")
    if parts.username is not None or parts.password is not None:
        raise Refused("bad_url", "no user name or password may stand in it: deliveries are signed", field="url")
    try:
        is_inside = _is_numeric(parts.hostname) and not _addresses_checked(parts.hostname, networks)
    except PrivateAddress as error:
        raise Refused("private_address", str(error), field="url") from error
    if parts.scheme == "http" and not is_inside:
        message = "http:// is for addresses in PACKSHOT_WEBHOOK_PRIVATE_NETWORKS alone; use https://"
        raise Refused("bad_url", message, field="url")


def _split(url: str) -> SplitResult:
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError as error:
        raise Refused("bad_url", f"no address that can be read: {error}", field="url") from error
    return parts


class Poster:
    """Sends at most `connections` requests at a time; `networks` are allowed although they are not public."""

    def __init__(self, networks: tuple[str, ...], connections: int, timeout_s: float = TIMEOUT_S) -> None:
        self._networks = networks
        self._connections = connections
        self._timeout_s = timeout_s

    async def __aenter__(self) -> "Poster":
        # The loop's own few threads would all wait for one receiver's name, and every other's behind them.
        threads = ThreadPoolExecutor(self._connections * LOOKUPS_EACH, thread_name_prefix="webhooks-names")
        asyncio.get_running_loop().set_default_executor(threads)
        connector = aiohttp.TCPConnector(
            limit=self._connections, resolver=_Checked(self._networks), use_dns_cache=False, ttl_dns_cache=None
        )
        self._session = aiohttp.ClientSession(
            connector=connector,
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=aiohttp.ClientTimeout(total=self._timeout_s),
            headers=_HEADERS,
            auto_decompress=False,
        )
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._session.close()

    async def post(self, url: str, headers: Mapping[str, str], body: bytes) -> Answer:
        """What came of it; a redirect is not followed."""
        try:
            host = urlsplit(url).hostname or ""
            if _is_numeric(host):  # of which the client asks no resolver
                _addresses_checked(host, self._networks)
            async with self._session.post(url, data=body, headers=headers, allow_redirects=False) as response:
                said = await response.content.read(ANSWER_BYTES_MAX)
                wait_s = None if response.status < 300 else retry_after_s(response.headers.get("Retry-After", ""))
                return Answer(response.status, _shown(said.decode(errors="replace")), wait_s)
        except PrivateAddress as error:
            return Answer(None, f"private_address: {error}")
        except TimeoutError:
            return Answer(None, f"no answer within {self._timeout_s:g} s")
        except (aiohttp.ClientError, OSError, ValueError) as error:
            return Answer(None, _shown(f"{type(error).__name__}: {error}"))


class _Checked(AbstractResolver):
    def __init__(self, networks: tuple[str, ...]) -> None:
        self._networks = networks
        self._resolver = ThreadedResolver()

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        found = await self._resolver.resolve(host, port, family)
        for each in found:
            _check(host, each["host"], self._networks)
        return found

    async def close(self) -> None:
        await self._resolver.close()


def retry_after_s(header: str, now: datetime | None = None) -> float | None:
    """The seconds that a Retry-After asks for, a number or a date (RFC 9110); None where it says nothing readable."""
    if header.isascii() and header.strip().isdigit():
        return float(header.strip()[:9])
    with suppress(ValueError, OverflowError):
        until = parsedate_to_datetime(header)
        return max((until.astimezone(UTC) - (now or datetime.now(UTC))).total_seconds(), 0.0)
    return None


def _is_numeric(host: str) -> bool:
    """Whether a host may be taken for an address: also 127.1 and 2130706433, which systems read as such."""
    return ":" in host or not _LETTER.search(host)


def _addresses_checked(host: str, networks: tuple[str, ...]) -> bool:
    """Whether a numeric host is on the public internet. Raises PrivateAddress where it may not be called."""
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST)
    except OSError as error:
        raise PrivateAddress(f"{host} is no address") from error
    addresses = [str(address[0]) for *_, address in found]
    for address in addresses:
        _check(host, address, networks)
    return all(map(is_public, addresses))


def _check(host: str, address: str, networks: tuple[str, ...]) -> None:
    if not is_within(address, networks) and not is_public(address):
        where = f"{host} is {address}, which is not on the public internet"
        raise PrivateAddress(f"{where}; PACKSHOT_WEBHOOK_PRIVATE_NETWORKS allows it")


def _shown(text: str) -> str:
    return printable(masked(text), MESSAGE_MAX)
