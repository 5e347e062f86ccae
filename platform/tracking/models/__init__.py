from tracking.models.experiments import Experiment
from tracking.models.logged_models import LoggedModel, ModelMetric
from tracking.models.runs import LatestMetric, Metric, Run, RunInput, RunOutput

__all__ = ["Experiment", "LatestMetric", "LoggedModel", "Metric", "ModelMetric", "Run", "RunInput", "RunOutput"]
