"""Turning checkpoints into safetensors. `plan` says which files become what; `main` runs confined (registry.confined)."""
