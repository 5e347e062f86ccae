"""REST of policies and the ledger."""

from django.urls import path

from governance.api import exports, ledger, policies, proofs, views

urlpatterns = [
    path("policies", policies.PolicyListView.as_view(), name="api-policy-list"),
    path("policies/<int:policy_id>", policies.PolicyView.as_view(), name="api-policy"),
    path("policies/dry-run", policies.PolicyDryRunView.as_view(), name="api-policy-dry-run"),
    path("policies/changes", policies.PolicyChangeView.as_view(), name="api-policy-change"),
    path("policies/<int:policy_id>/versions", policies.PolicyVersionListView.as_view(), name="api-policy-version-list"),
    path("policies/<int:policy_id>/diff", policies.PolicyDiffView.as_view(), name="api-policy-diff"),
    path("evidence", policies.EvidenceListView.as_view(), name="api-evidence-list"),
    path("ledger", ledger.LedgerView.as_view(), name="api-ledger"),
    path("ledger/views", views.SavedViewListView.as_view(), name="api-saved-view-list"),
    path("ledger/views/<int:view_id>", views.SavedViewView.as_view(), name="api-saved-view"),
    path("ledger/signing-key", ledger.SigningKeyView.as_view(), name="api-signing-key"),
    path("ledger/events/<int:event_id>/proof", proofs.ProofView.as_view(), name="api-proof"),
    path("ledger/checkpoint", proofs.CheckpointView.as_view(), name="api-checkpoint"),
    path("ledger/checkpoints", proofs.CheckpointListView.as_view(), name="api-checkpoint-list"),
    path("ledger/checkpoints.txt", proofs.CheckpointTextView.as_view(), name="api-checkpoint-text"),
    path("ledger/consistency", proofs.ConsistencyView.as_view(), name="api-consistency"),
    path("ledger/keys", proofs.KeyListView.as_view(), name="api-ledger-keys"),
    path("ledger/export", exports.ExportView.as_view(), name="api-ledger-export"),
    path("ledger/verifier", exports.VerifierView.as_view(), name="api-ledger-verifier"),
    path("ledger/erasures", exports.ErasureView.as_view(), name="api-ledger-erasures"),
    path("ledger/status", proofs.StatusView.as_view(), name="api-ledger-status"),
    path("ledger/<int:event_id>", ledger.EventView.as_view(), name="api-event"),
]
