"""The limits that the settings set, where they can be had without what pools work with."""

from pathlib import Path

from gpu_workers.sources.http import FetchLimits
from streams.runtime.settings import Settings


def fetch_limits(settings: Settings) -> FetchLimits:
    """The limits of downloads."""
    return FetchLimits(
        size_bytes_max=settings.source_max_bytes,
        time_s_max=settings.source_timeout_s,
        redirects_max=settings.source_max_redirects,
        private_networks=tuple(settings.source_private_networks),
        file_roots=tuple(Path(root) for root in settings.source_file_roots),
        buckets=frozenset(settings.source_buckets),
    )
