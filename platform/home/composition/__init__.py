"""Pages: what a prompt includes and what includes it."""
