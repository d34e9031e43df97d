"""What is no HTTP at all: no request comes of it, but it is answered in the shape that all errors have."""

import h11
import msgspec
from uvicorn.protocols.http.h11_impl import H11Protocol

from streams.api.problems import MEDIA_TYPE, Problem, trace_id


def protocol(base_url: str) -> type[H11Protocol]:
    """uvicorn's HTTP/1.1 on h11, whose own answer is plain text."""

    class Protocol(H11Protocol):
        def send_400_response(self, msg: str) -> None:
            """Answers 400, and ends the connection."""
            details = Problem("malformed_request", msg).details(base_url, "", trace_id())
            headers = [("Content-Type", MEDIA_TYPE), ("Connection", "close")]
            body = h11.Data(data=msgspec.json.encode(details))
            for event in (
                h11.Response(status_code=400, headers=headers, reason=b"Bad Request"),
                body,
                h11.EndOfMessage(),
            ):
                self.transport.write(self.conn.send(event) or b"")
            self.transport.close()

    return Protocol
