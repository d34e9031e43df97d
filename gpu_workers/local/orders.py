"""What an order of a picture says, checked and named as the pools would."""

from collections.abc import Mapping

from gpu_workers.operations.base import ComposeRequest
from gpu_workers.pools import rules as pool_rules
from gpu_workers.pools.outputs import code_fingerprint
from schemas.channels import Channel, UnknownChannel
from schemas.channels.rulebook import BadChannel, Rulebook
from schemas.operations import OPERATIONS
from schemas.operations.base import BadParameters
from schemas.records import Step
from streams.facts import Database
from streams.runtime.errors import Refused
from streams.runtime.settings import Settings


def check_parameters(operation: str, parameters: Mapping[str, str]) -> None:
    """Raises Refused for an operation that is not there, or for parameters that it does not take."""
    if operation not in OPERATIONS:
        known = ", ".join(sorted(OPERATIONS))
        raise Refused(
            "unknown_operation", f"no operation is called {operation!r}; there are: {known}", field="operation"
        )
    try:
        OPERATIONS[operation].parameters.parse(parameters)
    except BadParameters as error:
        raise Refused.because(error) from error


def fingerprint(operation: str, request: ComposeRequest) -> str:
    """What tells a composed picture's rules and library from all others."""
    from gpu_workers.pools.compose import library_fingerprint

    return f"{request.channel.rule_version}/{library_fingerprint(operation, request)}"


def code(operation: str) -> str:
    """The code that makes an operation's picture of a photograph, which is cut out before."""
    return "+".join(code_fingerprint(each)[:16] for each in dict.fromkeys(("cutout", operation)))


def channel_name(operation: str, name: str | None) -> str | None:
    """The channel that an operation works for, as far as that is said or follows from it."""
    return name or ("web" if operation == "transparent" else None)


def step(operation: str, channel: str | None, parameters: Mapping[str, str]) -> Step:
    """The step that an order is."""
    return Step(operation=operation, channel=channel_name(operation, channel), parameters=dict(parameters))


def channel(operation: str, name: str | None, category: str, rules: Rulebook) -> Channel:
    """The rules of a channel. Raises Refused."""
    name = channel_name(operation, name)
    if name is None:
        raise Refused("missing_channel", f"{operation} needs --channel", field="channel")
    try:
        return rules.load(name, category)
    except (UnknownChannel, BadChannel) as error:
        raise Refused.because(error, field="channel") from error


def rules_that_count(settings: Settings) -> Rulebook:
    """The channels' rules by the facts, as every role has them. Raises DatabaseUnavailable."""
    database = Database(settings.database)
    try:
        database.create_tables()
        return pool_rules.rules_that_count(database)
    finally:
        database.close()
