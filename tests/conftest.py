"""What every test may use."""

from collections.abc import Iterator

import pytest
import structlog

pytest_plugins = ["tests.servers"]


@pytest.fixture(autouse=True)
def process_as_it_was() -> Iterator[None]:
    """What a command sets for its whole process ends with the test that ran it."""
    yield
    structlog.reset_defaults()
