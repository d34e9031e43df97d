"""Who may be served now: requests in flight, so memory and connections, are bounded for all, a tenant and an endpoint.

Endpoints that were away when they were last asked are doubtful: each gets one request at a time, and all of them no
more than half of the room, of a tenant's too, so that those which wait for a time-out leave the rest to the others.
"""

from collections import Counter
from collections.abc import Collection

from streams.facts import Endpoint

TOTAL = 128
OF_TENANT = 32
OF_ENDPOINT = 4
DOUBTFUL_SHARE = 0.5


class Slots:
    """The requests in flight of one process."""

    def __init__(self, total: int = TOTAL, of_tenant: int = OF_TENANT, of_endpoint: int = OF_ENDPOINT) -> None:
        self.total = total
        self._of_tenant = of_tenant
        self._of_endpoint = of_endpoint
        self._held: dict[int, tuple[Endpoint, bool]] = {}
        self._tenants: Counter[tuple[str, bool]] = Counter()
        self._endpoints: Counter[str] = Counter()
        self._doubtful = 0

    def full_tenants(self) -> Collection[str]:
        """Tenants that may have nothing more."""
        return [name for name in {name for name, _ in self._tenants} if self._used(name) >= self._of_tenant]

    def full_endpoints(self) -> Collection[str]:
        """Endpoints that may have nothing more; a doubtful one has room for one, and is full with that."""
        doubtful = {endpoint.endpoint for endpoint, is_doubtful in self._held.values() if is_doubtful}
        return [name for name, count in self._endpoints.items() if count >= self._of_endpoint or name in doubtful]

    def busy_endpoints(self) -> Collection[str]:
        """Endpoints that have anything in flight: of these the doubtful may have nothing more."""
        return [name for name, count in self._endpoints.items() if count]

    def tenants_full_of_doubtful(self) -> Collection[str]:
        """Tenants whose doubtful endpoints may have nothing more."""
        most = self._of_tenant * DOUBTFUL_SHARE
        return [name for (name, is_doubtful), count in self._tenants.items() if is_doubtful and count >= most]

    def in_flight(self) -> Collection[int]:
        """The ids of the deliveries that are being sent."""
        return list(self._held)

    def takes_doubtful(self) -> bool:
        """Whether there is room for another doubtful endpoint."""
        return self._doubtful < self.total * DOUBTFUL_SHARE

    def left(self) -> int:
        """How many more requests there may be."""
        return self.total - len(self._held)

    def room(self, endpoint: Endpoint) -> int:
        """How many more an endpoint may have."""
        most = min(self.left(), self._of_tenant - self._used(endpoint.tenant))
        if not endpoint.pauses:
            return min(most, self._of_endpoint - self._endpoints[endpoint.endpoint])
        is_full = endpoint.tenant in self.tenants_full_of_doubtful() or self._endpoints[endpoint.endpoint] > 0
        return min(most, int(self.takes_doubtful() and not is_full))

    def fill(self, endpoint: Endpoint, delivery: int) -> None:
        """A delivery is about to be sent."""
        self._held[delivery] = (endpoint, endpoint.pauses > 0)
        self._count(delivery, 1)

    def free(self, delivery: int) -> None:
        """A delivery is sent, whatever came of it."""
        self._count(delivery, -1)
        del self._held[delivery]

    def _count(self, delivery: int, by: int) -> None:
        endpoint, is_doubtful = self._held[delivery]
        self._tenants[endpoint.tenant, is_doubtful] += by
        self._endpoints[endpoint.endpoint] += by
        self._doubtful += by * is_doubtful

    def _used(self, tenant: str) -> int:
        return self._tenants[tenant, True] + self._tenants[tenant, False]
