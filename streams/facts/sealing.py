"""Secrets at rest: sealed by Fernet (AES-128-CBC and HMAC-SHA256) under a key of the settings, plain without one."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from streams.runtime.settings import SettingsError

if TYPE_CHECKING:
    from cryptography.fernet import MultiFernet

SEALED = "fernet:"  # before what is sealed; JSON begins otherwise


class Unsealable(SettingsError):
    """What is sealed is opened by none of the keys that the settings name."""


class Sealer:
    """Seals by the first key, opens by any: so that a key can be changed. What was kept plain is read as it is."""

    def __init__(self, keys: Sequence[str] = ()) -> None:
        self._fernet = _fernet(keys) if keys else None
        self._first = _fernet(keys[:1]) if keys else None

    def sealed(self, text: str) -> str:
        """The text as it is to be kept."""
        return text if self._fernet is None else SEALED + self._fernet.encrypt(text.encode()).decode()

    def opened(self, kept: str) -> str:
        """The text that was kept. Raises Unsealable."""
        if not kept.startswith(SEALED):
            return kept
        if self._fernet is None:
            raise Unsealable("secrets are sealed: name their key in PACKSHOT_SECRETS_KEYS")
        from cryptography.fernet import InvalidToken

        try:
            return self._fernet.decrypt(kept.removeprefix(SEALED).encode()).decode()
        except InvalidToken as error:
            raise Unsealable("PACKSHOT_SECRETS_KEYS has not the key that secrets are sealed with") from error

    def renewed(self, kept: str) -> str:
        """What was kept, sealed by the first key; the same where it is. Raises Unsealable."""
        text = self.opened(kept)
        return kept if self._first is None or self._is_by_first(kept) else self.sealed(text)

    def _is_by_first(self, kept: str) -> bool:
        from cryptography.fernet import InvalidToken

        assert self._first is not None
        try:
            self._first.decrypt(kept.removeprefix(SEALED).encode())
        except InvalidToken:
            return False
        return True


def _fernet(keys: Sequence[str]) -> "MultiFernet":
    from cryptography.fernet import Fernet, MultiFernet

    try:
        return MultiFernet([Fernet(key) for key in keys])
    except ValueError as error:  # its message tells nothing of the key
        raise SettingsError("PACKSHOT_SECRETS_KEYS: a key is 32 bytes in URL-safe Base64") from error
