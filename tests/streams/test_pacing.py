"""The proxy before noida-db: whoever goes away takes the connection along, and leaves no error that nobody reads."""

import gc
import logging
import socket
import struct
import threading
import time

import pytest

from streams.embedded.pacing import Pacing

ANSWER = struct.pack(">ii", 4 + (1 << 16), 7) + bytes(1 << 16)  # the size of the frame, a correlation id, and much else


def test_a_client_that_goes_away_while_it_is_answered_leaves_no_unread_error(caplog: pytest.LogCaptureFixture) -> None:
    broker = socket.create_server(("127.0.0.1", 0))
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    pacing = Pacing(port, broker.getsockname()[1])
    pacing.start()
    with caplog.at_level(logging.ERROR, "asyncio"), broker:
        client = socket.create_connection(("127.0.0.1", port))
        answering, _ = broker.accept()
        sent: list[bytes] = []
        answered = threading.Thread(target=_answer_until_closed, args=(answering, sent))
        answered.start()
        _until_nothing_goes_through(sent)
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))  # it is reset, not ended
        client.close()
        answered.join(timeout=30)
        pacing.stop()
        gc.collect()
    assert not answered.is_alive()
    assert not caplog.records


def _answer_until_closed(connection: socket.socket, sent: list[bytes]) -> None:
    with connection:
        try:
            while True:
                connection.sendall(ANSWER)
                sent.append(ANSWER)
        except ConnectionError:
            return


def _until_nothing_goes_through(sent: list[bytes]) -> None:
    """Until the client's side is full: then an answer is under way that cannot be ended."""
    before = -1
    while len(sent) != before:
        before = len(sent)
        time.sleep(0.5)
