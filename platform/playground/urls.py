"""Pages."""

from django.urls import URLPattern, path

from playground.views import cells, runs, sessions

urlpatterns: list[URLPattern] = [
    path("playground/", sessions.session_list, name="playground"),
    path("playground/new", sessions.session_new, name="playground-new"),
    path("playground/<int:bench>", sessions.session_detail, name="playground-session"),
    path("playground/<int:bench>/copy", sessions.session_copy, name="playground-session-copy"),
    path("playground/<int:bench>/delete", sessions.session_delete, name="playground-session-delete"),
    path("playground/runs/<int:play>", runs.run_detail, name="playground-run"),
    path("playground/runs/<int:play>/live", runs.run_live, name="playground-run-live"),
    path("playground/runs/<int:play>/cancel", runs.run_cancel, name="playground-run-cancel"),
    path("playground/runs/<int:play>/retry", runs.run_retry, name="playground-run-retry"),
    path("playground/cells/<int:cell_id>", cells.cell_detail, name="playground-cell"),
    path("playground/cells/<int:cell_id>/live", cells.cell_live, name="playground-cell-live"),
    path("playground/cells/<int:cell_id>/retry", cells.cell_retry, name="playground-cell-retry"),
    path("playground/cells/<int:cell_id>/continue", cells.cell_continue, name="playground-cell-continue"),
    path("playground/cells/<int:cell_id>/rate", cells.cell_rate, name="playground-cell-rate"),
    path("playground/cells/<int:cell_id>/test", cells.cell_test, name="playground-cell-test"),
    path("playground/cells/<int:cell_id>/keep", cells.cell_keep, name="playground-cell-keep"),
    path("prompts/<str:team>/<prompt_name:name>/playground", sessions.prompt_playground, name="prompt-playground"),
]
