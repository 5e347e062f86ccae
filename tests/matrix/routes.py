"""Every address there is, found by walking the routes themselves, with the methods that each answers."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from django.urls import URLPattern, URLResolver, get_resolver

# Methods that a view of Django's or DRF's own inherits and that nothing of ours implements.
_INHERITED = {"head", "options", "trace"}


@dataclass(frozen=True)
class Route:
    name: str
    path: str
    methods: tuple[str, ...]
    parameters: tuple[str, ...]

    @property
    def is_rest(self) -> bool:
        return self.path.startswith(("api/", "hf/"))


def routes() -> list[Route]:
    """All routes of the site. Two under one name (allauth's own, shadowed by ours) are the first alone."""
    found: dict[str, Route] = {}
    for path, name, pattern in _walk(get_resolver(), "", ()):
        if name not in found:
            found[name] = Route(name, path, methods_of(pattern.callback), _parameters(pattern))
    return list(found.values())


def _walk(resolver: URLResolver, prefix: str, spaces: tuple[str, ...]) -> Iterator[tuple[str, str, URLPattern]]:
    for pattern in resolver.url_patterns:
        path = prefix + str(pattern.pattern)
        if isinstance(pattern, URLResolver):
            yield from _walk(pattern, path, (*spaces, pattern.namespace) if pattern.namespace else spaces)
        else:
            yield path, ":".join([*spaces, pattern.name or path]), pattern


def _parameters(pattern: URLPattern) -> tuple[str, ...]:
    converters = getattr(pattern.pattern, "converters", None)
    return tuple(converters or pattern.pattern.regex.groupindex)


def methods_of(view: Callable[..., Any]) -> tuple[str, ...]:
    """GET, POST … that a view answers: a class's handlers, or what `require_http_methods` lets through to a function."""
    cls = getattr(view, "cls", None) or getattr(view, "view_class", None)
    if cls is not None:
        allowed = [name for name in cls.http_method_names if hasattr(cls, name) and name not in _INHERITED]
        return tuple(name.upper() for name in allowed)
    methods: set[str] | None = None
    for layer in _layers(view):
        for cell in layer.__closure__ or ():
            if isinstance(value := cell.cell_contents, list) and value and set(value) <= _METHODS:
                methods = set(value) if methods is None else methods & set(value)
    return tuple(sorted({"GET", "POST"} if methods is None else methods - {"HEAD", "OPTIONS"}))


_METHODS = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}


def _layers(view: Any) -> Iterator[Any]:
    while view is not None:
        yield view
        view = getattr(view, "__wrapped__", None)
