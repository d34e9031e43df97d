"""Request and reply: a task may say where its answer is wanted, and by which name whoever asked knows it.

The address is in headers, which letters carry on, so that a task that is tried again is answered all the same. An
answer goes there and nowhere else. It may come twice, after a crash, and nobody may wait for it any more.
"""

from dataclasses import dataclass, replace

from schemas import topics
from schemas.envelope import Headers, as_mapping
from streams.consumer.letters import Delivery, Outgoing, whole_number
from streams.runtime.errors import Refused

TOPIC = "packshot-reply-topic"
PARTITION = "packshot-reply-partition"
CORRELATION = "packshot-correlation-id"
CORRELATION_MAX = 64  # characters
PARTITIONS_MAX = 2**31 - 1


@dataclass(frozen=True)
class Address:
    """A partition of the replies, and the name that the asker gave its question."""

    partition: int
    correlation_id: str

    @property
    def headers(self) -> Headers:
        """The address as a task carries it."""
        named = {TOPIC: topics.REPLIES.name, PARTITION: str(self.partition), CORRELATION: self.correlation_id}
        return [(name, value.encode()) for name, value in named.items()]


def asking(task: Outgoing, address: Address) -> Outgoing:
    """The record of a task, to be answered at `address`."""
    return replace(task, headers=[*task.headers, *address.headers])


def answering(event: Outgoing, address: Address) -> Outgoing:
    """The record of what became of a task, as its answer."""
    headers = [*event.headers, (CORRELATION, address.correlation_id.encode())]
    return replace(event, topic=topics.REPLIES.name, partition=address.partition, headers=headers)


def correlation_id(reply: Delivery) -> str:
    """The name of the question that a record answers; empty where it says none."""
    return as_mapping(reply.headers).get(CORRELATION, "")


def stands_alone(task: Delivery) -> bool:
    """Whether the record of a task, or its letter, is of no product: whoever asked is told, and the facts are not."""
    return TOPIC in as_mapping(task.headers)


def address_in(task: Delivery) -> Address | None:
    """Where a task's answer is wanted; None where it goes on as usual. Raises Refused for what is no address."""
    named = as_mapping(task.headers)
    if TOPIC not in named:
        return None
    if named[TOPIC] != topics.REPLIES.name:
        raise Refused("bad_reply_address", f"answers go to {topics.REPLIES.name} alone", field=TOPIC)
    partition, name = whole_number(named.get(PARTITION)), named.get(CORRELATION, "")
    if partition is None or partition > PARTITIONS_MAX:
        raise Refused("bad_reply_address", "an address names a partition", field=PARTITION)
    if not 0 < len(name) <= CORRELATION_MAX or not name.isascii():
        raise Refused("bad_reply_address", f"1 to {CORRELATION_MAX} ASCII characters", field=CORRELATION)
    return Address(partition, name)
