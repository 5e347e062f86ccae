"""The addresses of the Langfuse door. What a client asks for and is not here is answered in Langfuse's own shape."""

from django.urls import path

from doors.langfuse import project, prompts
from doors.langfuse.base import by_method

_PROMPTS = "api/public/v2/prompts"

urlpatterns = [
    path("api/public/health", by_method(GET=project.health), name="langfuse-health"),
    path("api/public/projects", by_method(GET=project.projects), name="langfuse-projects"),
    path(_PROMPTS, by_method(GET=prompts.listing, POST=prompts.create), name="langfuse-prompts"),
    path(
        f"{_PROMPTS}/<path:name>/versions/<int:number>",
        by_method(PATCH=prompts.update),
        name="langfuse-version",
    ),
    path(f"{_PROMPTS}/<path:name>", by_method(GET=prompts.get, DELETE=prompts.delete), name="langfuse-prompt"),
    # Of SDKs of the second generation.
    path("api/public/prompts", by_method(GET=prompts.get_by_query, POST=prompts.create), name="langfuse-prompt-old"),
    path("api/public/<path:rest>", project.unknown, name="langfuse-unknown"),
]
