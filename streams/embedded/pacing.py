"""What stands between noida-db and its clients: it answers a fetch at once and with all that there is, whatever wait
and whatever size were asked for.

Consumers would ask again without a pause, each of them using up a core. An answer like the one before it, which is
what an idle topic gives, is held back for a moment here. One that is too large for a client is cut. Everything else
passes through as it is.
"""

import asyncio
import struct
import threading
from dataclasses import dataclass, field

from streams.embedded.fetches import cut

HOLD_S = 0.05

_SIZE = struct.Struct(">i")
_REQUEST = struct.Struct(">hhi")  # api key, api version, correlation id
_FETCH = 1
_NAMES_THE_BROKER = frozenset({3, 10})  # Metadata, FindCoordinator


class Pacing:
    """Passes on what comes to `port` on loopback to `upstream_port`, in a thread of its own."""

    def __init__(self, port: int, upstream_port: int) -> None:
        self._port = port
        self._upstream_port = upstream_port
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, name="pacing", daemon=True)
        self._listening = threading.Event()
        self._stopped = asyncio.Event()

    def start(self) -> None:
        """Returns when the port is open."""
        self._thread.start()
        self._listening.wait()

    def stop(self) -> None:
        """Closes the port and every connection."""
        self._loop.call_soon_threadsafe(self._stopped.set)
        self._thread.join()

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_until_complete(self._serve())
        for task in (left := asyncio.all_tasks(self._loop)):
            task.cancel()
        self._loop.run_until_complete(asyncio.gather(*left, return_exceptions=True))
        self._loop.close()

    async def _serve(self) -> None:
        server = await asyncio.start_server(self._connected, "127.0.0.1", self._port)
        self._listening.set()
        await self._stopped.wait()
        server.close()

    async def _connected(self, client_in: asyncio.StreamReader, client_out: asyncio.StreamWriter) -> None:
        broker_out = None
        try:
            broker_in, broker_out = await asyncio.open_connection("127.0.0.1", self._upstream_port)
            pending = _Pending(_place(self._upstream_port), _place(self._port))
            requests = asyncio.create_task(_requests(client_in, broker_out, pending))
            answers = asyncio.create_task(_answers(broker_in, client_out, pending))
            ended, other = await asyncio.wait({requests, answers}, return_when=asyncio.FIRST_COMPLETED)
            for task in other:
                task.cancel()
            await asyncio.gather(*ended)
        except (ConnectionError, asyncio.CancelledError):
            return  # one of the two is gone, or we stop: the other is told so by the end of its connection
        finally:
            client_out.close()
            if broker_out is not None:
                broker_out.close()


@dataclass
class _Pending:
    """What a connection waits for, by correlation id, fetches with their versions; and the broker's own place, and the
    one to give out for it."""

    own_place: bytes
    given_place: bytes
    fetches: dict[int, int] = field(default_factory=dict)
    names: set[int] = field(default_factory=set)


def _place(port: int) -> bytes:
    """A broker as the protocol writes it: the host, and behind it the port."""
    return b"127.0.0.1" + _SIZE.pack(port)


async def _requests(client: asyncio.StreamReader, broker: asyncio.StreamWriter, pending: _Pending) -> None:
    while (frame := await _read(client)) is not None:
        api, version, correlation = _REQUEST.unpack_from(frame)
        if api == _FETCH:
            pending.fetches[correlation] = version
        elif api in _NAMES_THE_BROKER:
            pending.names.add(correlation)
        await _write(broker, frame)


async def _answers(broker: asyncio.StreamReader, client: asyncio.StreamWriter, pending: _Pending) -> None:
    last_length = 0
    while (frame := await _read(broker)) is not None:
        (correlation,) = _SIZE.unpack_from(frame)
        if correlation in pending.fetches:
            version = pending.fetches.pop(correlation)
            if len(frame) == last_length:
                await asyncio.sleep(HOLD_S)
            last_length = len(frame)
            frame = cut(frame, version)
        elif correlation in pending.names:
            pending.names.discard(correlation)
            frame = frame.replace(pending.own_place, pending.given_place)
        await _write(client, frame)


async def _read(stream: asyncio.StreamReader) -> bytes | None:
    """The next frame without its size; None at the end of the connection."""
    try:
        (size,) = _SIZE.unpack(await stream.readexactly(_SIZE.size))
        return await stream.readexactly(size)
    except (asyncio.IncompleteReadError, ConnectionError):
        return None


async def _write(stream: asyncio.StreamWriter, frame: bytes) -> None:
    stream.write(_SIZE.pack(len(frame)) + frame)
    await stream.drain()
