"""What the gateway is told by its environment. It reads no Django settings: loading Django would cost a third of its memory."""

import os
from dataclasses import dataclass, field

from accounts.networks import read_trusted
from accounts.tickets import secret_of


@dataclass(frozen=True)
class Configuration:
    """Addresses and limits. Times in seconds, sizes in bytes."""

    database_url: str
    # The one origin whose pages may call the gateway from a browser.
    site_url: str
    max_body_bytes: int = 16 * 1024 * 1024
    connect_timeout_s: float = 5.0
    # The longest silence of a model: before its first byte, and between two.
    silence_timeout_s: float = 600.0
    pool_size: int = 8
    # Open streams of changes of prompts, in one process: of one key, and of all.
    streams_per_key: int = 200
    streams: int = 5000
    # Networks of the reverse proxies whose X-Forwarded-For is believed.
    trusted_proxies: tuple[str, ...] = ()
    # Hosts, in lower case, from which a model's engine may fetch pictures and sounds that a message names.
    media_hosts: frozenset[str] = frozenset()
    # What the platform's own calls are signed with; empty: none is good.
    ticket_secret: bytes = field(default=b"", repr=False)

    @classmethod
    def from_environment(cls) -> "Configuration":
        def number(name: str, default: float) -> float:
            return float(os.environ.get(name) or default)

        return cls(
            database_url=os.environ.get("DATABASE_URL") or "postgresql://countersign_app@127.0.0.1:5432/countersign",
            site_url=(os.environ.get("SITE_URL") or "http://127.0.0.1:8000").rstrip("/"),
            max_body_bytes=int(number("GATEWAY_MAX_BODY_BYTES", cls.max_body_bytes)),
            connect_timeout_s=number("GATEWAY_CONNECT_TIMEOUT_S", cls.connect_timeout_s),
            silence_timeout_s=number("GATEWAY_SILENCE_TIMEOUT_S", cls.silence_timeout_s),
            streams_per_key=int(number("GATEWAY_STREAMS_PER_KEY", cls.streams_per_key)),
            streams=int(number("GATEWAY_STREAMS", cls.streams)),
            trusted_proxies=read_trusted(os.environ.get("TRUSTED_PROXIES") or ""),
            media_hosts=frozenset((os.environ.get("GATEWAY_MEDIA_HOSTS") or "").lower().replace(",", " ").split()),
            ticket_secret=secret_of(os.environ.get("COUNTERSIGN_SECRET_KEY") or ""),
            pool_size=int(number("GATEWAY_DATABASE_POOL_SIZE", cls.pool_size)),
        )
