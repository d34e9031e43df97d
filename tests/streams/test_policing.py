"""The content policy in the flow: what it refuses costs nothing, what it doubts is for a person."""

from collections.abc import Iterator

import pytest
from msgspec.structs import replace

from schemas.records import CampaignRequested, PublishRequested, ReviewRequested, Task
from streams.runtime.errors import Refused
from tests.streams.processing import *  # noqa: F403
