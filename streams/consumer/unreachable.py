"""What is said of brokers that do not answer: which they are, why, and what names them."""

from confluent_kafka import KafkaException

from streams.runtime.errors import Unavailable
from streams.runtime.settings import Settings, variable


def unreachable(settings: Settings, error: KafkaException | TimeoutError) -> Unavailable:
    """The error for a call that the brokers did not answer, or answered with a refusal."""
    return Unavailable(described(settings, error))


def described(settings: Settings, error: KafkaException | TimeoutError) -> str:
    """The same in a sentence: librdkafka's own errors, which are below 0, say that nobody has answered."""
    cause = error.args[0] if isinstance(error, KafkaException) else None
    if cause is not None and cause.code() >= 0:
        return f"the brokers at {settings.bootstrap_servers}: {cause.str()}"
    why = f" ({cause.str().rpartition('Local: ')[2].lower()})" if cause is not None else ""
    return f"the brokers at {settings.bootstrap_servers} do not answer{why}; {_named_by(settings)}"


def _named_by(settings: Settings) -> str:
    if settings.kafka_bootstrap_servers:
        return f"{variable('kafka_bootstrap_servers')} names them"
    return "the `packshot up` of this folder has ended or hangs: start it again"
