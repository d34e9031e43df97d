"""A host whose answers are none, or not what was asked for: an answer for each path, byte by byte, and good-bye."""

import socket
import threading
from contextlib import suppress
from typing import Self

from infra.servers.process import LOOPBACK

OK = b"HTTP/1.1 200 OK\r\n"
CHUNKED = OK + b"Transfer-Encoding: chunked\r\n\r\n"
ANSWERS = {
    "nothing": b"",
    "no-http": b"SSH-2.0-OpenSSH_9.9\r\n",
    "no-status": b"HTTP/1.1 \r\n\r\n",
    "nul-in-the-reason": b"HTTP/1.1 400 no\x00thing\x1b[31m\r\n\r\n",
    "length-below-0": OK + b"Content-Length: -5\r\n\r\n" + b"x" * 2000,
    "two-lengths": OK + b"Content-Length: 9\r\nContent-Length: 500\r\n\r\n" + b"x" * 500,
    "length-of-5000-digits": OK + b"Content-Length: " + b"9" * 5000 + b"\r\n\r\n",
    "chunk-below-0": CHUNKED + b"-1\r\n" + b"x" * 2000,
    "chunk-cut-off": CHUNKED + b"200\r\nabc",
    "packed": OK + b"Content-Encoding: gzip\r\n\r\n\x1f\x8b" + b"\0" * 99,
    "no-picture": OK + b"Content-Length: 20\r\n\r\n" + b"\xff\xd8\xff" + b"x" * 17,
    "nowhere": b"HTTP/1.1 302 Found\r\nLocation: http://[::1/\r\n\r\n",
    "to-a-file": b"HTTP/1.1 302 Found\r\nLocation: file:///etc/passwd\r\n\r\n",
    "not-there": b"HTTP/1.1 404 no\xfft\x00here\r\n\r\n",
}


class HostileHost:
    """Serves ANSWERS on loopback, each under a path that begins with its name, one connection after another."""

    def __init__(self) -> None:
        self._socket = socket.create_server((LOOPBACK, 0))
        self.url = f"http://{LOOPBACK}:{self._socket.getsockname()[1]}"
        self._thread = threading.Thread(target=self._serve, name="hostile host", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        self._thread.join()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            with connection, suppress(OSError):
                connection.settimeout(5)
                request = connection.recv(65536).split(b" ")
                name = request[1].split(b"/")[1].decode() if len(request) > 1 else ""
                connection.sendall(ANSWERS.get(name, b""))
