"""Pages."""

from django.urls import URLPattern, path

from prompts.views import branches, differences, editor, files, labels, lists, prompts, upkeep, usage, versions

_PROMPT = "prompts/<str:team>/<prompt_name:name>"

urlpatterns: list[URLPattern] = [
    path("prompts/", lists.prompt_list, name="prompt-list"),
    path("prompts/files", files.prompt_files, name="prompt-files"),
    path("prompts/export", files.prompt_export, name="prompt-export"),
    path("prompts/import", files.prompt_import, name="prompt-import"),
    path("prompts/new", editor.prompt_create, name="prompt-create"),
    path(_PROMPT, prompts.prompt_detail, name="prompt-detail"),
    path(f"{_PROMPT}/edit", prompts.prompt_update, name="prompt-update"),
    path(f"{_PROMPT}/settings", prompts.prompt_settings, name="prompt-settings"),
    path(f"{_PROMPT}/diff", differences.version_diff, name="prompt-version-diff"),
    path(f"{_PROMPT}/diff/weights", differences.version_weights, name="prompt-version-weights"),
    path(f"{_PROMPT}/archive", upkeep.prompt_archive, name="prompt-archive"),
    path(f"{_PROMPT}/restore", upkeep.prompt_restore, name="prompt-restore"),
    path(f"{_PROMPT}/delete", upkeep.prompt_delete, name="prompt-delete"),
    path(f"{_PROMPT}/tags", upkeep.tag_set, name="prompt-tag-set"),
    path(f"{_PROMPT}/tags/remove", upkeep.tag_remove, name="prompt-tag-remove"),
    path(f"{_PROMPT}/versions/<int:number>/delete", upkeep.version_delete, name="prompt-version-delete"),
    path(f"{_PROMPT}/versions/<int:number>/tags", upkeep.version_tag_set, name="prompt-version-tag-set"),
    path(f"{_PROMPT}/versions/<int:number>/tags/remove", upkeep.version_tag_remove, name="prompt-version-tag-remove"),
    path(f"{_PROMPT}/versions/restore", upkeep.version_restore, name="prompt-version-restore"),
    path(f"{_PROMPT}/branches", branches.prompt_branches, name="prompt-branches"),
    path(f"{_PROMPT}/branches/<str:branch>/merge", branches.branch_merge, name="prompt-branch-merge"),
    path(f"{_PROMPT}/branches/<str:branch>/close", branches.branch_close, name="prompt-branch-close"),
    path(f"{_PROMPT}/versions/new", editor.version_create, name="prompt-version-create"),
    path(f"{_PROMPT}/versions/difference", editor.version_difference, name="prompt-version-difference"),
    path(f"{_PROMPT}/versions/<int:number>", versions.version_detail, name="prompt-version-detail"),
    path(f"{_PROMPT}/versions/<int:number>/render", versions.version_render, name="prompt-version-render"),
    path(f"{_PROMPT}/usage", usage.prompt_usage, name="prompt-usage"),
    path(f"{_PROMPT}/labels", labels.prompt_labels, name="prompt-labels"),
    path(f"{_PROMPT}/labels/<str:label>/rollback", labels.label_roll_back, name="label-roll-back"),
    path(f"{_PROMPT}/labels/<str:label>/remove", labels.label_remove, name="label-remove"),
]
