"""A server of sources on this machine, and what the tests of fetching share."""

import io
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from PIL import Image

from gpu_workers.sources.fetch import FetchLimits

LOOPBACK = ("127.0.0.0/8",)


Answer = Callable[[BaseHTTPRequestHandler], None]


def picture(kind: str) -> bytes:
    stream = io.BytesIO()
    Image.new("RGB", (80, 80), (200, 30, 30)).save(stream, kind)
    return stream.getvalue()


JPEG = picture("JPEG")


class Handler(BaseHTTPRequestHandler):
    answers: dict[str, Answer]

    def do_GET(self) -> None:
        self.answers[self.path](self)

    def log_message(self, *_: object) -> None:
        pass


class Server:
    """A host on loopback whose paths answer as a test says. `waiting` ends answers that would never end."""

    def __init__(self) -> None:
        self.answers: dict[str, Answer] = {}
        self.closing = threading.Event()
        handler = type("TestHandler", (Handler,), {"answers": self.answers})
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self.port = int(self._server.server_address[1])
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01})
        self._thread.start()

    def serves(self, path: str, body: bytes = JPEG, status: int = 200, **headers: str) -> str:
        def answer(request: BaseHTTPRequestHandler) -> None:
            request.send_response(status)
            for name, value in ({"Content_Length": str(len(body))} | headers).items():
                request.send_header(name.replace("_", "-"), value)
            request.end_headers()
            request.wfile.write(body)

        return self.answers_with(path, answer)

    def answers_with(self, path: str, answer: Answer) -> str:
        self.answers[path] = answer
        return f"http://127.0.0.1:{self.port}{path}"

    def close(self) -> None:
        self.closing.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


def limits(**values: Any) -> FetchLimits:
    given: dict[str, Any] = {"private_networks": LOOPBACK, "time_s_max": 30.0}
    return FetchLimits(**given | values)
