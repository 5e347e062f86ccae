"""REST of models and datasets, by resource."""
