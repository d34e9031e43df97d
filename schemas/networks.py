"""Which addresses are on the public internet: a table of our own, the same under every version of Python.

Sources: the IANA registries of special-purpose addresses (RFC 6890; iana-ipv4-special-registry and
iana-ipv6-special-registry), of multicast, and the IPv6 address space (only 2000::/3 is handed out for unicast).
"""

import ipaddress

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network

NOT_PUBLIC: dict[str, str] = {
    "0.0.0.0/8": "this network (RFC 791)",
    "10.0.0.0/8": "private use (RFC 1918)",
    "100.64.0.0/10": "carriers' shared space (RFC 6598)",
    "127.0.0.0/8": "loopback (RFC 1122)",
    "168.63.129.16/32": "Azure's own services, in every virtual network of it",
    "169.254.0.0/16": "link-local, and clouds' metadata (RFC 3927)",
    "172.16.0.0/12": "private use (RFC 1918)",
    "192.0.0.0/24": "protocol assignments (RFC 6890)",
    "192.0.2.0/24": "documentation (RFC 5737)",
    "192.31.196.0/24": "AS112 (RFC 7535)",
    "192.52.193.0/24": "AMT (RFC 7450)",
    "192.88.99.0/24": "relays of 6to4, given up (RFC 7526)",
    "192.168.0.0/16": "private use (RFC 1918)",
    "192.175.48.0/24": "AS112 (RFC 7534)",
    "198.18.0.0/15": "benchmarking (RFC 2544)",
    "198.51.100.0/24": "documentation (RFC 5737)",
    "203.0.113.0/24": "documentation (RFC 5737)",
    "224.0.0.0/4": "multicast (RFC 5771)",
    "240.0.0.0/4": "reserved, and broadcast (RFC 1112)",
    "2001::/23": "protocol assignments, Teredo and ORCHID among them (RFC 2928)",
    "2001:db8::/32": "documentation (RFC 3849)",
    "2620:4f:8000::/48": "AS112 (RFC 7534)",
    "3fff::/20": "documentation (RFC 9637)",
}
_NOT_PUBLIC = [ipaddress.ip_network(network) for network in NOT_PUBLIC]
_UNICAST = ipaddress.IPv6Network("2000::/3")  # all else is loopback, local, mapped, multicast or nobody's (RFC 4291)
_MAPPED = ipaddress.IPv6Network("::ffff:0:0/96")  # RFC 4291
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")  # RFC 6052
_SIX_TO_FOUR = ipaddress.IPv6Network("2002::/16")  # RFC 3056


def is_public(address: str) -> bool:
    """Whether an address, with its zone if it has one, is on the public internet. Raises ValueError for none."""
    found = innermost(address)
    if isinstance(found, ipaddress.IPv6Address) and found not in _UNICAST:
        return False
    return not any(found in network for network in _NOT_PUBLIC)


def is_within(address: str, networks: tuple[str, ...]) -> bool:
    """Whether an address lies in one of the networks, each in CIDR's notation."""
    return any(innermost(address) in ipaddress.ip_network(network) for network in networks)


def innermost(address: str) -> Address:
    """The IPv4 address that an IPv6 one carries (mapped, NAT64, 6to4), else the address itself."""
    found = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(found, ipaddress.IPv6Address):
        if found in _MAPPED or found in _NAT64:
            return ipaddress.IPv4Address(int(found) & 0xFFFFFFFF)
        if found in _SIX_TO_FOUR:
            return ipaddress.IPv4Address(int(found) >> 80 & 0xFFFFFFFF)
    return found
