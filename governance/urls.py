"""Pages of the ledger and of policies."""

from django.urls import path

from governance.views import integrity, ledger, policies, saved_views

urlpatterns = [
    path("ledger/", ledger.ledger_list, name="ledger-list"),
    path("ledger/newer", ledger.ledger_newer, name="ledger-newer"),
    path("ledger/integrity", integrity.integrity, name="ledger-integrity"),
    path("ledger/erase", integrity.erase, name="ledger-erase"),
    path("ledger/views", saved_views.view_list, name="saved-view-list"),
    path("ledger/views/<int:view_id>", saved_views.view_change, name="saved-view-change"),
    path("ledger/views/<int:view_id>/remove", saved_views.view_remove, name="saved-view-remove"),
    path("ledger/<int:event_id>", ledger.event_detail, name="event-detail"),
    path("ledger/life/<slug:kind>/<str:key>", ledger.life, name="ledger-life"),
    path("policies/", policies.policy_list, name="policy-list"),
    path("policies/new", policies.policy_create, name="policy-create"),
    path("policies/<int:policy_id>", policies.policy_edit, name="policy-edit"),
    path("policies/<int:policy_id>/remove", policies.policy_remove, name="policy-remove"),
]
