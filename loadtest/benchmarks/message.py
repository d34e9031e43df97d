"""A message as consumers give it, for stand-ins of a broker: the client makes its own ones only by itself."""

from collections.abc import Callable
from typing import Any


class Message:
    """What is used of confluent_kafka.Message; each of its parts is asked for by a call."""

    topic: Callable[[], str | None]
    partition: Callable[[], int | None]
    offset: Callable[[], int | None]
    key: Callable[[], bytes | None]
    value: Callable[[], bytes | None]
    headers: Callable[[], Any]
    timestamp: Callable[[], tuple[int, int]]
    error: Callable[[], Any]

    def __init__(self, **parts: Any) -> None:
        for name in Message.__annotations__:
            setattr(self, name, _Part(parts.get(name)))


class _Part:
    def __init__(self, value: Any) -> None:
        self._value = value

    def __call__(self) -> Any:
        return self._value
