"""Pages: a model as a run left it, and a look into its files."""

from typing import Any

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET

from accounts.authentication import actor_of
from tracking import reads
from tracking.views.tables import figure

_MOST = 200


@login_required
@require_GET
def logged_model_detail(request: HttpRequest, model_id: str) -> HttpResponse:
    by = actor_of(request)
    model = reads.get_logged_model(by, model_id)
    folder = request.GET.get("path", "").strip("/")
    parts = folder.split("/") if folder else []
    metrics: list[dict[str, Any]] = [
        {"key": one.key, "value": figure(one.value), "step": one.step, "dataset": one.dataset_name, "run": one.run}
        for one in model.metrics.select_related("run")[:_MOST]
    ]
    context = {
        "model": model,
        "folder": folder,
        "steps": [("/".join(parts[: place + 1]), part) for place, part in enumerate(parts)],
        "entries": reads.list_folder(model, folder)[:1_000],
        "metrics": metrics,
        "params": sorted(model.params.items())[:_MOST],
        "tags": sorted(model.tags.items())[:_MOST],
        "versions": list(reads.versions_of_model(by, model)[:50]),
        "source": f"models:/{model.model_id}",
    }
    return render(request, "tracking/logged_model.html", context)
