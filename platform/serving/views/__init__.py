"""Pages of deployments: lists, making one, one with its tabs, and trying it."""
