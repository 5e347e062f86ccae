"""Where a webhook may go: never into our own network. A name is resolved once, and that very address is connected to."""

import ipaddress
import re
import socket
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from django.conf import settings

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Resolve = Callable[[str, int], Sequence[str]]
RESOLVE_S = 5.0
MAX_URL = 2000
# Beyond what `ipaddress` calls not global: addresses that embed or stand for others, and a cloud's own service.
_REFUSED = [
    ipaddress.ip_network(text)
    for text in (
        "0.0.0.0/8", "100.64.0.0/10", "168.63.129.16/32", "192.0.0.0/24", "192.88.99.0/24", "198.18.0.0/15", "240.0.0.0/4",
        "::/96", "::ffff:0:0/96", "64:ff9b::/96", "64:ff9b:1::/48", "100::/64", "2001::/23", "2001:db8::/32", "2002::/16",
        "3fff::/20", "5f00::/16", "fc00::/7", "fe80::/10", "fec0::/10", "ff00::/8",
    )
]  # fmt: skip


class Refused(Exception):
    """An address that webhooks don't go to; the text says why and what to do."""


class Unresolved(Exception):
    """The name leads nowhere now."""


@dataclass(frozen=True)
class Goal:
    """A checked address: its parts, and the IP addresses that may be connected to."""

    url: str
    host: str
    port: int
    addresses: tuple[str, ...]


def parse(url: str) -> tuple[str, int]:
    """Host and port of an address that is well-formed for a webhook; Refused says what is wrong. Asks no name server."""
    if len(url) > MAX_URL:
        raise Refused(f"Use at most {MAX_URL} characters.")
    if any(ord(letter) <= 32 or ord(letter) == 127 for letter in url) or "\\" in url:
        raise Refused("An address holds no spaces, control characters or backslashes.")
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise Refused("This is not an address. Use one such as https://example.com/hooks.") from None
    if parts.scheme == "http" and not settings.WEBHOOK_ALLOW_HTTP:
        raise Refused("Use https: a message sent by http can be read and changed on its way.")
    if parts.scheme not in ("https", "http"):
        raise Refused("Use an address that begins with https://.")
    if "@" in parts.netloc:
        raise Refused("Leave user name and password out: a message is known by its signature.")
    if parts.fragment or "#" in url:
        raise Refused("Leave out what follows '#': it is never sent.")
    host = parts.hostname or ""
    if not host or len(host) > 253 or not host.isascii() or "%" in host:
        raise Refused("Name a host in ASCII letters (an internationalised name in its xn-- form).")
    last = host.rstrip(".").rpartition(".")[2]
    if ":" not in host and re.fullmatch(r"0x[0-9a-f]*|\d+", last) and not _is_plain_ipv4(host):
        raise Refused("Write an IP address in its usual form, four numbers with dots.")
    port = port if port is not None else (443 if parts.scheme == "https" else 80)
    if port not in (80, 443) and port < 1024:
        raise Refused(f"Port {port} belongs to another service. Use 443, 80, or one from 1024 up.")
    return host, port


def _is_plain_ipv4(host: str) -> bool:
    try:
        return str(ipaddress.IPv4Address(host)) == host
    except ValueError:
        return False


def check(url: str, resolve: Resolve | None = None) -> Goal:
    """The address resolved and every IP address that it leads to checked. Refused or Unresolved say why not."""
    host, port = parse(url)
    try:
        found: Sequence[str] = [str(ipaddress.ip_address(host))]
    except ValueError:
        found = (resolve or look_up)(host, port)
    if not found:
        raise Unresolved(f"The name {host} leads to no address.")
    for text in found:
        check_address(text)
    return Goal(url, host, port, tuple(dict.fromkeys(found)))


def check_address(text: str) -> None:
    """Refused unless this IP address is on the public Internet or in a network that the operator allows."""
    address = ipaddress.ip_address(text.partition("%")[0])
    if any(address in network for network in settings.WEBHOOK_ALLOWED_NETWORKS):
        return
    inner = any(address in network for network in _REFUSED)
    if inner or not address.is_global or address.is_multicast or address.is_reserved:
        raise Refused(
            f"This leads to {address}, which is not an address on the public Internet. Webhooks don't go into our own network; "
            "an operator can allow one with WEBHOOK_ALLOWED_NETWORKS."
        )


def look_up(host: str, port: int) -> list[str]:
    """The IP addresses of a name; Unresolved when there are none, or when the name server takes too long."""
    answers: list[str] = []
    errors: list[Exception] = []

    def ask() -> None:
        try:
            for _, _, _, _, place in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM):
                answers.append(str(place[0]))
        except (OSError, UnicodeError) as error:
            errors.append(error)

    # getaddrinfo knows no time limit of its own.
    asking = threading.Thread(target=ask, daemon=True)
    asking.start()
    asking.join(RESOLVE_S)
    if asking.is_alive():
        raise Unresolved(f"The name server gave no answer for {host} within {RESOLVE_S:g} s.")
    if errors:
        raise Unresolved(f"The name {host} can't be resolved. Check its spelling.")
    return list(dict.fromkeys(answers))
