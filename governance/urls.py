"""Pages of the ledger and of policies."""

from django.urls import path

from governance.views import ledger, policies

urlpatterns = [
    path("ledger/", ledger.ledger_list, name="ledger-list"),
    path("ledger/<int:event_id>", ledger.event_detail, name="event-detail"),
    path("ledger/life/<slug:kind>/<slug:key>", ledger.life, name="ledger-life"),
    path("policies/", policies.policy_list, name="policy-list"),
    path("policies/new", policies.policy_create, name="policy-create"),
    path("policies/<int:policy_id>", policies.policy_edit, name="policy-edit"),
    path("policies/<int:policy_id>/remove", policies.policy_remove, name="policy-remove"),
]
