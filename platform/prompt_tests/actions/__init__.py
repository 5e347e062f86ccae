from prompt_tests.actions.common import actor_for
from prompt_tests.actions.runs import cancel_run, create_run, run_on_save
from prompt_tests.actions.suites import add_case, save_suite
from prompt_tests.actions.worker import fail_run, finish_run, served_for, store_results, take_up

__all__ = [
    "actor_for",
    "add_case",
    "cancel_run",
    "create_run",
    "fail_run",
    "finish_run",
    "run_on_save",
    "save_suite",
    "served_for",
    "store_results",
    "take_up",
]
