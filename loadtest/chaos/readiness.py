"""Which processes have said that they are ready, by systemd's protocol (sd_notify), as `packshot up` hears it."""

import socket
import tempfile
from contextlib import suppress

NOTICE_BYTES_MAX = 4096


class Readiness:
    """Hears what the processes say that have `environment`. Kept apart by their ids, which die with them.

    A process may have to wait with its word until `listen` is called, for the system keeps few of them.
    """

    def __init__(self) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="packshot-")  # a socket's path must be short
        self._heard = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._heard.bind(f"{self._folder.name}/ready")
        self._heard.setblocking(False)
        self._lines: set[bytes] = set()
        self.environment = {"NOTIFY_SOCKET": f"{self._folder.name}/ready"}

    def listen(self) -> None:
        """Takes in what was said so far."""
        with suppress(BlockingIOError):
            while True:
                self._lines |= set(self._heard.recv(NOTICE_BYTES_MAX).split(b"\n"))

    def has_said_so(self, process_id: int) -> bool:
        """Whether this process was heard."""
        return b"MAINPID=%d" % process_id in self._lines

    def close(self) -> None:
        """Hears nobody any more."""
        self._heard.close()
        self._folder.cleanup()
