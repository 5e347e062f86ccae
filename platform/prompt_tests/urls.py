"""Pages."""

from django.urls import URLPattern, path

from prompt_tests import views

_PROMPT = "prompts/<str:team>/<prompt_name:name>"

urlpatterns: list[URLPattern] = [
    path(f"{_PROMPT}/tests", views.tests, name="prompt-tests"),
    path(f"{_PROMPT}/tests/edit", views.suite_edit, name="prompt-tests-edit"),
    path(f"{_PROMPT}/tests/runs", views.run_create, name="prompt-test-run-create"),
    path("prompt-tests/<int:test_run_id>", views.run_detail, name="prompt-test-run"),
    path("prompt-tests/<int:test_run_id>/live", views.run_live, name="prompt-test-run-live"),
    path("prompt-tests/<int:test_run_id>/cancel", views.run_cancel, name="prompt-test-run-cancel"),
]
