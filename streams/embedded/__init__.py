"""A Kafka broker that Packshot starts for itself: for `packshot up`, the demo and the tests."""

from streams.embedded.broker import EmbeddedBroker, choose_broker
from streams.embedded.process import BrokerUnavailable

__all__ = ["BrokerUnavailable", "EmbeddedBroker", "choose_broker"]
