"""REST."""

from django.urls import URLPattern, path

from prompts.api import (
    branches,
    composition,
    drafts,
    exchange,
    labels,
    prompts,
    rendering,
    tags,
    usage,
    versions,
)

_PROMPT = "prompts/<str:team>/<prompt_name:name>"

urlpatterns: list[URLPattern] = [
    path("prompts", prompts.Prompts.as_view(), name="api-prompt-list"),
    path("prompt-folders", prompts.Folders.as_view(), name="api-prompt-folders"),
    path("prompt-drafts", drafts.MyDrafts.as_view(), name="api-prompt-drafts-mine"),
    path(f"{_PROMPT}/drafts", drafts.Drafts.as_view(), name="api-prompt-drafts"),
    path(f"{_PROMPT}/drafts/<path:branch>", drafts.DraftView.as_view(), name="api-prompt-draft"),
    path("prompts/<str:team>/export", exchange.Export.as_view(), name="api-prompt-export"),
    path("prompts/<str:team>/import", exchange.Import.as_view(), name="api-prompt-import"),
    path("prompts/<str:team>/render", rendering.RenderContent.as_view(), name="api-prompt-render-content"),
    path("prompts/<str:team>/check", rendering.Check.as_view(), name="api-prompt-check"),
    path(_PROMPT, prompts.PromptView.as_view(), name="api-prompt-detail"),
    path(f"{_PROMPT}/versions", versions.Versions.as_view(), name="api-prompt-versions"),
    path(f"{_PROMPT}/versions/<int:number>", versions.VersionView.as_view(), name="api-prompt-version"),
    path(f"{_PROMPT}/versions/<int:number>/render", versions.Render.as_view(), name="api-prompt-render"),
    path(f"{_PROMPT}/render", rendering.RenderLabel.as_view(), name="api-prompt-render-label"),
    path(f"{_PROMPT}/impact", composition.ImpactView.as_view(), name="api-prompt-impact"),
    path(f"{_PROMPT}/graph", composition.GraphView.as_view(), name="api-prompt-graph"),
    path(f"{_PROMPT}/diff", versions.DifferenceView.as_view(), name="api-prompt-diff"),
    path(f"{_PROMPT}/usage", usage.UsageView.as_view(), name="api-prompt-usage"),
    path(f"{_PROMPT}/labels", labels.Labels.as_view(), name="api-label-list"),
    path(f"{_PROMPT}/labels/<str:label>", labels.LabelView.as_view(), name="api-label-detail"),
    path(f"{_PROMPT}/labels/<str:label>/history", labels.LabelHistory.as_view(), name="api-label-history"),
    path(f"{_PROMPT}/labels/<str:label>/rollback", labels.LabelRollBack.as_view(), name="api-label-rollback"),
    path(f"{_PROMPT}/restore", prompts.PromptRestore.as_view(), name="api-prompt-restore"),
    path(f"{_PROMPT}/tags", tags.Tags.as_view(), name="api-prompt-tags"),
    path(f"{_PROMPT}/tags/<path:key>", tags.TagView.as_view(), name="api-prompt-tag"),
    path(f"{_PROMPT}/versions/<int:number>/restore", tags.VersionRestore.as_view(), name="api-prompt-version-restore"),
    path(f"{_PROMPT}/versions/<int:number>/tags", tags.VersionTags.as_view(), name="api-prompt-version-tags"),
    path(
        f"{_PROMPT}/versions/<int:number>/tags/<path:key>", tags.VersionTagView.as_view(), name="api-prompt-version-tag"
    ),
    path(f"{_PROMPT}/branches", branches.Branches.as_view(), name="api-prompt-branches"),
    path(f"{_PROMPT}/branches/<str:branch>", branches.BranchView.as_view(), name="api-prompt-branch"),
    path(f"{_PROMPT}/branches/<str:branch>/merge", branches.Merge.as_view(), name="api-prompt-merge"),
    path(
        f"{_PROMPT}/branches/<str:branch>/merge/preview",
        branches.MergePreview.as_view(),
        name="api-prompt-merge-preview",
    ),
]
