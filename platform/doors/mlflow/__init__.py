"""What MLflow's client asks of its server: the model registry (registry*.py), tracking and artifacts. `base` is under all of it."""
