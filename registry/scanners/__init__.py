"""What looks into one file for code, secrets and traps. Runs confined (registry.confined): no Django, no storage, no network."""
