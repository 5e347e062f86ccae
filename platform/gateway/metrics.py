"""Counters in Prometheus' text form. No label names a deployment: this page is open, and names are the team's own."""

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from gateway.usage import Usage

registry = CollectorRegistry()
requests = Counter(
    "countersign_gateway_requests", "Answers, by door and status.", ["door", "status"], registry=registry
)
seconds = Histogram(
    "countersign_gateway_request_seconds",
    "From the request's first byte to the answer's last.",
    ["door"],
    registry=registry,
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300),
)
first_byte = Histogram(
    "countersign_gateway_first_byte_seconds",
    "Until the answer began.",
    ["door"],
    registry=registry,
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30),
)
under_way = Gauge("countersign_gateway_requests_under_way", "Requests being answered.", registry=registry)
listeners = Gauge("countersign_gateway_listeners", "Open streams of changes of prompts.", registry=registry)
changes_told = Counter(
    "countersign_gateway_changes_told", "Changes of prompts that were handed to streams.", registry=registry
)
tokens = Counter("countersign_gateway_tokens", "Tokens, as models reported them.", ["kind"], registry=registry)
upstream_errors = Counter(
    "countersign_gateway_upstream_errors", "Calls to models that failed, by kind.", ["kind"], registry=registry
)


def note_usage(usage: Usage | None) -> None:
    if usage is not None:
        tokens.labels("prompt").inc(usage.prompt_tokens)
        tokens.labels("completion").inc(usage.completion_tokens)


def text() -> tuple[bytes, str]:
    """The page and its content type."""
    return generate_latest(registry), CONTENT_TYPE_LATEST
