"""A version with the texts of what it includes, for clients that fill it in themselves (`?resolve=1`)."""

from collections.abc import Iterable
from typing import Any

from accounts.access import Actor
from prompts.composition import Edge, Tree
from prompts.models import PromptVersion
from prompts.rendering import tree_of


def resolved_fields(version: PromptVersion, by: Actor) -> dict[str, Any]:
    """`includes`: the key in `included` by what the template calls it; each of `included` has its own. Two queries for each level;
    raises what rendering would."""
    tree = tree_of(version, by)
    held = {one.pk: one for one in tree.versions.values()}
    return {
        "includes": _keys(tree, tree.edges),
        "included": {_key(one): _included(tree, one) for one in held.values()},
    }


def _key(version: PromptVersion) -> str:
    return f"{version.prompt}:{version.number}"


def _keys(tree: Tree, edges: Iterable[Edge]) -> dict[str, str]:
    return {edge.written: _key(version) for edge in edges if (version := tree.follow(edge))}


def _included(tree: Tree, version: PromptVersion) -> dict[str, Any]:
    return {
        "prompt": str(version.prompt),
        "number": version.number,
        "digest": version.digest,
        "format": version.format,
        "template": version.template,
        "inputs": version.inputs,
        "includes": _keys(tree, tree.below.get(version.pk, [])),
    }
