"""Addresses as settings: those that are shown, and those that may hold a password and are not."""

from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator, SecretStr


def _address(text: str) -> str:
    try:
        parts = urlsplit(text)
        _ = parts.hostname, parts.port
    except ValueError:  # its message holds parts of the address
        raise ValueError("cannot be read as an address; what is special in a password is written as %XX") from None
    if not parts.scheme:
        raise ValueError("an address begins with its scheme, as https:// or file:///")
    return text


def _secret_address(secret: SecretStr) -> SecretStr:
    _address(secret.get_secret_value())
    return secret


def _open_address(text: str) -> str:
    if "@" in urlsplit(_address(text)).netloc:
        raise ValueError("no user name or password may stand in it: it is shown to others")
    return text


Address = Annotated[str, AfterValidator(_open_address)]
SecretAddress = Annotated[SecretStr, AfterValidator(_secret_address)]
