"""Pages of models and datasets, by resource."""
