"""What counts as a change that the ledger must tell of: every table of ours, but for what is listed here, each with its
reason. A new table is governed until somebody says otherwise."""

from tests.matrix.journal import LEDGER, Journal, Write

UNGOVERNED = {
    "django_session": "who is signed in where; signing in and out are events",
    "django_content_type": "Django's own numbering of models",
    "auth_permission": "Django's own numbering of permissions",
    "registry_gitoid": "what git calls bytes that are there already, worked out when first asked for",
    "registry_blob": "bytes by their hash; the file that names them is an event",
    "registry_upload": "bytes on their way; the file that a version makes of them is an event",
    "registry_xorb": "chunks on their way",
    "registry_uploadpart": "bytes on their way",
    "registry_blobcheck": "when bytes were last hashed again; damage is an event",
    "registry_blobscan": "what the scanner saw in bytes; what it says of a version is evidence, and that is an event",
    "registry_formatfacts": "what parsers saw in bytes; it is read again at any time",
    "registry_weightcomparison": "how far weights moved: derived from bytes that never change, and made again at any time",
    "registry_assetsearch": "words and facets of what stands elsewhere; made again at any time",
    "registry_searchword": "the dictionary of the search",
    "evaluation_example": "answers as they come in; the end, with their metrics, is an event",
    "playground_playgroundsession": "what somebody tries; what is run of it is an event",
    "playground_playgroundrow": "values of a run, which is an event",
    "playground_cell": "answers as they come in; the run's end, with what it took, is an event",
    "playground_cellrating": "what somebody thought of an answer; the row says who and when, and nothing follows from it",
    "prompt_tests_caseresult": "answers and verdicts as they come in; the end of the run, with their counts, is an event",
    "tracking_metric": "measurements that a run reports; its start and end are events",
    "tracking_latestmetric": "the last of a run's measurements",
    "tracking_modelmetric": "measurements of a logged model; its making and end are events",
    "tracking_runinput": "what a run says that it read",
    "tracking_runoutput": "what a run says that it made; the logged model is an event",
    "registry_artifact": "files of runs: they are governed from when a version is registered of them, which is an event",
    "accounts_keyaddress": "where a key was seen; the first time from somewhere is an event",
    "notifications_position": "how far the ledger was read",
    "notifications_delivery": "a message about an event; sending it again by hand is an event",
    "notifications_attempt": "what came of a message",
    "notifications_notice": "a message about an event; who has read it is their own business",
    "prompts_promptsearch": "words of what stands elsewhere; made again at any time",
    "prompts_promptword": "the dictionary of the search",
    "prompts_promptdraft": "what one person is writing, seen by nobody else; saving it as a version is an event",
    "ledger_eventtext": "a part of an event",
    "ledger_leaf": "the ledger's own tree",
    "ledger_subtree": "the ledger's own tree",
    "ledger_checkpoint": "the ledger's own tree",
    "ledger_anchor": "where a checkpoint was left; it says itself when and where",
    "ledger_searchbatch": "the ledger's own index",
    "ledger_searchposting": "the ledger's own index",
    "ledger_searchname": "the ledger's own index",
}
# Columns that say how far something is or when it was last seen, rather than what it is.
OBSERVED = {
    "registry_conversion": {"state", "detail", "done_bytes", "beat_at", "result_id"},
    "governance_approvalrequest": {"waits_for"},  # follows from the reviews and the policy
    "governance_review": {"stale_at", "stale_reason"},  # an approval going stale is an event; counting again follows from others
    "accounts_apikey": {"last_used_at", "last_used_from"},
    "accounts_user": {"last_login"},
    "registry_asset": {"updated_at", "updated_by_id"},
    "tracking_run": {"step", "message", "heartbeat_at", "started_at", "began_at", "parameters", "tags"},  # reports
    "tracking_loggedmodel": {"tags", "params", "updated_at"},  # reports
    "evaluation_evaluation": {
        "lease_owner", "lease_until", "heartbeat_at", "done", "errors", "stalls", "waiting_since", "scoring_at", "message",
    },
    "playground_playgroundrun": {
        "state", "message", "total", "done", "errors", "lease_owner", "lease_until", "heartbeat_at", "started_at",
    },
    "prompt_tests_suiterun": {
        "lease_owner", "lease_until", "heartbeat_at", "done", "passed", "errors", "stalls", "waiting_since", "message",
        "prompt_tokens", "completion_tokens", "cost",
    },
    "notifications_endpoint": {"failing_since", "last_success_at", "refused_at"},
    # What was seen on Ray Serve. Running, failed and the revision that answers are events all the same.
    "serving_deployment": {
        "state", "state_changed_at", "message", "detail", "active_id", "endpoint", "observed_replicas", "failures",
        "retry_at",
    },
}  # fmt: skip


def is_governed(write: Write) -> bool:
    if write.table == LEDGER or write.table in UNGOVERNED:
        return False
    return not (write.verb == "UPDATE" and write.columns and write.columns <= OBSERVED.get(write.table, set()))


def untold(journal: Journal) -> list[str]:
    """Transactions that changed something governed and wrote no event."""
    found = []
    for writes in journal.transactions:
        governed = [write for write in writes if is_governed(write)]
        if governed and not any(write.table == LEDGER and write.verb == "INSERT" for write in writes):
            found.append(", ".join(sorted({f"{w.verb} {w.table} {sorted(w.columns) or ''}" for w in governed})))
    return found
