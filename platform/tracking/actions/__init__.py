"""Changes to experiments, runs, logged models and the files they leave."""

from tracking.actions.artifact_parts import (
    abort_artifact_parts,
    begin_artifact_parts,
    complete_artifact_parts,
    takes_parts,
)
from tracking.actions.artifacts import delete_artifacts, put_artifact
from tracking.actions.experiments import (
    create_experiment,
    delete_experiment,
    delete_experiment_tag,
    rename_experiment,
    restore_experiment,
    set_experiment_tag,
)
from tracking.actions.logged_models import (
    create_logged_model,
    delete_logged_model,
    delete_logged_model_tag,
    finish_logged_model,
    log_model_params,
    set_logged_model_tags,
)
from tracking.actions.purging import purge_deleted
from tracking.actions.reports import delete_run_tag, log_batch, log_inputs, log_metrics, log_outputs
from tracking.actions.runs import (
    LOST,
    TRANSITIONS,
    cancel_run,
    close_lost,
    create_run,
    delete_run,
    follow_run,
    restore_run,
    start_run,
    update_run,
)

__all__ = [
    "LOST", "TRANSITIONS", "abort_artifact_parts", "begin_artifact_parts", "cancel_run", "close_lost",
    "complete_artifact_parts", "create_experiment", "create_logged_model", "create_run", "delete_artifacts",
    "delete_experiment", "delete_experiment_tag", "delete_logged_model", "delete_logged_model_tag", "delete_run",
    "delete_run_tag", "finish_logged_model", "follow_run", "log_batch", "log_inputs", "log_metrics",
    "log_model_params", "log_outputs", "purge_deleted", "put_artifact", "rename_experiment", "restore_experiment",
    "restore_run", "set_experiment_tag", "set_logged_model_tags", "start_run", "takes_parts", "update_run",
]  # fmt: skip
