"""Pages."""

from django.urls import URLPattern, path

from prompts.views import editor, labels, prompts

_PROMPT = "prompts/<str:team>/<prompt_name:name>"

urlpatterns: list[URLPattern] = [
    path("prompts/", prompts.prompt_list, name="prompt-list"),
    path("prompts/new", prompts.prompt_create, name="prompt-create"),
    path(_PROMPT, prompts.prompt_detail, name="prompt-detail"),
    path(f"{_PROMPT}/edit", prompts.prompt_update, name="prompt-update"),
    path(f"{_PROMPT}/diff", prompts.version_diff, name="prompt-version-diff"),
    path(f"{_PROMPT}/versions/new", editor.version_create, name="prompt-version-create"),
    path(f"{_PROMPT}/versions/check", editor.version_check, name="prompt-version-check"),
    path(f"{_PROMPT}/versions/<int:number>", prompts.version_detail, name="prompt-version-detail"),
    path(f"{_PROMPT}/versions/<int:number>/render", prompts.version_render, name="prompt-version-render"),
    path(f"{_PROMPT}/labels", labels.label_move, name="label-move"),
    path(f"{_PROMPT}/labels/<str:label>/remove", labels.label_remove, name="label-remove"),
]
