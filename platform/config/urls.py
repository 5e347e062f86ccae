"""All addresses of the site. Each app lists its own pages (`urls`) and its part of the native REST API (`api_urls`)."""

from django.urls import include, path
from django.views.generic import RedirectView
from drf_spectacular.views import SpectacularJSONAPIView

from config import views
from registry.api.supply import ModelSigningKeyView

PAGES = [
    "home",
    "home.requests",
    "accounts",
    "governance",
    "registry",
    "prompts",
    "notifications",
    "serving",
    "evaluation",
    "tracking",
    "playground",
    "prompt_tests",
]

urlpatterns = [
    path("healthz", views.healthz, name="healthz"),
    path("readyz", views.readyz, name="readyz"),
    path("api/v1/openapi.json", SpectacularJSONAPIView.as_view(), name="openapi"),
    path("api/docs", views.api_docs, name="api-docs"),
    # Before the keys of accounts, whose addresses begin so too.
    path("api/v1/keys/model-signing", ModelSigningKeyView.as_view(), name="api-model-signing-key"),
    # allauth lets people change their address by themselves. Here it is who they are in the ledger: it stays.
    path("accounts/email/", RedirectView.as_view(pattern_name="settings-profile"), name="account_email"),
    path("accounts/", include("allauth.account.urls")),
    path("accounts/2fa/", include("allauth.mfa.urls")),
    *[path("api/v1/", include(f"{app}.api_urls")) for app in PAGES],
    *[path("", include(f"{app}.urls")) for app in PAGES],
    path("", include("doors.huggingface.urls")),
    path("", include("doors.mlflow.urls")),
    path("", include("doors.langfuse.urls")),
]
handler404 = "config.views.not_found"
handler403 = "config.views.forbidden"
handler500 = "config.views.server_error"
