"""Where a request comes from, and whether a key works from there. Without Django: the gateway asks too."""

from collections.abc import Iterable, Sequence
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

Network = IPv4Network | IPv6Network


def read_network(text: str) -> Network:
    """A network in CIDR form, or a single address; ValueError, with the remedy, for anything else."""
    try:
        return ip_network(text.strip())
    except ValueError as error:
        if "host bits" in str(error):
            meant = ip_network(text.strip(), strict=False)
            raise ValueError(f"'{text}' names an address inside of a network. Write {meant}.") from None
        raise ValueError(f"'{text}' is no network. Write one such as 10.1.0.0/16 or 2001:db8::/32.") from None


@lru_cache(maxsize=4096)
def _read(networks: tuple[str, ...]) -> tuple[Network, ...]:
    return tuple(read_network(text) for text in networks)


@lru_cache(maxsize=4096)
def plain(address: str) -> str:
    """An address as it is compared and stored: IPv4 inside IPv6 unwrapped, no zone; '' for what is none (a Unix socket)."""
    found = _address(address)
    return str(found) if found else ""


def _address(text: str) -> IPv4Address | IPv6Address | None:
    try:
        found = ip_address(text.strip().partition("%")[0])
    except ValueError:
        return None
    return (found.ipv4_mapped or found) if isinstance(found, IPv6Address) else found


def allows(networks: Sequence[str], address: str) -> bool:
    """May a key that is limited to these networks be used from this address? None: from everywhere."""
    if not networks:
        return True
    found = _address(address)
    return found is not None and any(
        found in network for network in _read(tuple(networks)) if network.version == found.version
    )


def client_address(peer: str, forwarded: Iterable[str], trusted: Sequence[str]) -> str:
    """Who sent the request: the peer, or, where that is a trusted proxy, the nearest address in X-Forwarded-For that is none.

    Read from the right: what stands left of the last untrusted address was written by that one and proves nothing.
    """
    current = plain(peer)
    if not trusted:
        return current
    hops = [part for header in forwarded for part in header.split(",")]
    while hops and current and allows(trusted, current):
        found = plain(hops.pop())
        if not found:
            break
        current = found
    return current


def read_trusted(text: str) -> tuple[str, ...]:
    """TRUSTED_PROXIES: networks separated by commas."""
    return tuple(str(read_network(part)) for part in text.split(",") if part.strip())
