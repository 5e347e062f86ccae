"""REST of policies and the ledger."""

from django.urls import path

from governance.api import ledger, policies

urlpatterns = [
    path("policies", policies.PolicyListView.as_view(), name="api-policy-list"),
    path("policies/<int:policy_id>", policies.PolicyView.as_view(), name="api-policy"),
    path("ledger", ledger.LedgerView.as_view(), name="api-ledger"),
    path("ledger/signing-key", ledger.SigningKeyView.as_view(), name="api-signing-key"),
    path("ledger/<int:event_id>", ledger.EventView.as_view(), name="api-event"),
]
