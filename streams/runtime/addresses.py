"""Addresses and passwords as settings: those that are shown, and those that may hold a password and are not."""

from urllib.parse import urlsplit


class SecretStr:
    """A text that nothing shows: what is shown of it is stars."""

    def __init__(self, text: str) -> None:
        self._text = text

    def get_secret_value(self) -> str:
        """The text: to connect with, and not to be shown."""
        return self._text

    def __eq__(self, other: object) -> bool:
        return isinstance(other, SecretStr) and self._text == other._text

    def __hash__(self) -> int:
        return hash(self._text)

    def __repr__(self) -> str:
        return f"{type(self).__name__}('**********')"


class SecretAddress(SecretStr):
    """An address in which a password may stand."""

    def __init__(self, text: str) -> None:
        """Raises ValueError, which shows nothing of it."""
        super().__init__(_checked(text))


class Address(str):
    """An address that is shown to others."""

    __slots__ = ()

    def __new__(cls, text: str) -> "Address":
        """Raises ValueError, which shows nothing of it."""
        if "@" in urlsplit(_checked(text)).netloc:
            raise ValueError("no user name or password may stand in it: it is shown to others")
        return super().__new__(cls, text)


def _checked(text: str) -> str:
    try:
        parts = urlsplit(text)
        _ = parts.hostname, parts.port
    except ValueError:  # its message holds parts of the address
        raise ValueError("cannot be read as an address; what is special in a password is written as %XX") from None
    if not parts.scheme:
        raise ValueError("an address begins with its scheme, as https:// or file:///")
    return text
