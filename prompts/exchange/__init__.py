"""Prompts as files: our own YAML for a git working tree, and the exports of Langfuse and MLflow, in and out."""

from prompts.exchange.entries import Entry, Unreadable

__all__ = ["Entry", "Unreadable"]
