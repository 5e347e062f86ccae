"""REST."""

from django.urls import URLPattern, path

from playground import api, cells_api

urlpatterns: list[URLPattern] = [
    path("playground/runs", api.Runs.as_view(), name="api-playground-runs"),
    path("playground/runs/<int:play>", api.RunView.as_view(), name="api-playground-run"),
    path("playground/runs/<int:play>/cells", api.Cells.as_view(), name="api-playground-cells"),
    path("playground/runs/<int:play>/cancel", api.Cancel.as_view(), name="api-playground-cancel"),
    path("playground/runs/<int:play>/retry", api.RunRetry.as_view(), name="api-playground-retry"),
    path("playground/cells/<int:cell_id>", cells_api.CellView.as_view(), name="api-playground-cell"),
    path(
        "playground/cells/<int:cell_id>/rating", cells_api.CellRatingView.as_view(), name="api-playground-cell-rating"
    ),
    path("playground/cells/<int:cell_id>/keep", cells_api.CellKeep.as_view(), name="api-playground-cell-keep"),
    path("playground/cells/<int:cell_id>/test", cells_api.CellTest.as_view(), name="api-playground-cell-test"),
    path(
        "playground/cells/<int:cell_id>/continue",
        cells_api.CellContinue.as_view(),
        name="api-playground-cell-continue",
    ),
    path("playground/cells/<int:cell_id>/retry", cells_api.CellRetry.as_view(), name="api-playground-cell-retry"),
]
