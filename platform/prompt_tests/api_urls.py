"""REST."""

from django.urls import URLPattern, path

from prompt_tests.api import Cancel, Cases, Results, Runs, RunView, SuiteView

_PROMPT = "prompts/<str:team>/<prompt_name:name>"

urlpatterns: list[URLPattern] = [
    path(f"{_PROMPT}/tests", SuiteView.as_view(), name="api-prompt-tests"),
    path(f"{_PROMPT}/tests/cases", Cases.as_view(), name="api-prompt-test-cases"),
    path(f"{_PROMPT}/tests/runs", Runs.as_view(), name="api-prompt-test-runs"),
    path("prompt-tests/<int:test_run_id>", RunView.as_view(), name="api-prompt-test-run"),
    path("prompt-tests/<int:test_run_id>/results", Results.as_view(), name="api-prompt-test-results"),
    path("prompt-tests/<int:test_run_id>/cancel", Cancel.as_view(), name="api-prompt-test-cancel"),
]
