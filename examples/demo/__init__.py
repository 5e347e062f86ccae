"""The demo workspace, made as a customer would make it: over the public REST API and nothing else."""
