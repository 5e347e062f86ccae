from playground.actions.cells import continue_cell, rate_cell, retry_cell, retry_failed
from playground.actions.kept import keep_example, make_test
from playground.actions.runs import cancel_run, start_run
from playground.actions.sessions import copy_session, delete_session, save_session

__all__ = [
    "cancel_run",
    "continue_cell",
    "copy_session",
    "delete_session",
    "keep_example",
    "make_test",
    "rate_cell",
    "retry_cell",
    "retry_failed",
    "save_session",
    "start_run",
]
