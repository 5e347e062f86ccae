"""REST."""

from django.urls import URLPattern, path

from prompts import api

_PROMPT = "prompts/<str:team>/<str:name>"

urlpatterns: list[URLPattern] = [
    path("prompts", api.Prompts.as_view(), name="api-prompt-list"),
    path(_PROMPT, api.PromptView.as_view(), name="api-prompt-detail"),
    path(f"{_PROMPT}/versions", api.Versions.as_view(), name="api-prompt-versions"),
    path(f"{_PROMPT}/versions/<int:number>", api.VersionView.as_view(), name="api-prompt-version"),
    path(f"{_PROMPT}/versions/<int:number>/render", api.Render.as_view(), name="api-prompt-render"),
    path(f"{_PROMPT}/diff", api.DifferenceView.as_view(), name="api-prompt-diff"),
    path(f"{_PROMPT}/labels", api.Labels.as_view(), name="api-label-list"),
    path(f"{_PROMPT}/labels/<str:label>", api.LabelView.as_view(), name="api-label-detail"),
    path(f"{_PROMPT}/labels/<str:label>/history", api.LabelHistory.as_view(), name="api-label-history"),
]
