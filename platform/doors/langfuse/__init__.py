"""Langfuse's public API for prompts, as its SDKs call it."""
