"""Changes to evaluations: made and cancelled by people, carried on and finished by tasks."""

from collections.abc import Mapping, Sequence
from typing import Any

from django.db import transaction
from django.utils import timezone

from accounts.access import Actor, require
from accounts.errors import Conflict, Forbidden, Invalid, NotFound
from accounts.roles import Permission
from evaluation import leasing, metrics, parameters, rows, wake
from evaluation.client import Answer
from evaluation.leases import LEASES
from evaluation.models import Evaluation, Example
from evaluation.texts import score, score_of_no_answer
from governance.actions import deposit_evidence
from governance.ledger.actions import Action, Target, record
from registry import datasets, gates
from registry.models import Asset, Version
from serving.actions import check_servable, hold_target, release_target
from serving.models import Deployment

State = Evaluation.State


@transaction.atomic
def create_evaluation(
    *, version: Version, dataset_version: Version, given: Mapping[str, Any] | None = None, by: Actor
) -> Evaluation:
    """Queue an evaluation of a registered model version on a registered dataset version of the same team."""
    model, dataset = version.asset, dataset_version.asset
    require(by, Permission.EVALUATION_RUN, model)
    require(by, Permission.ASSET_VIEW, dataset)
    if by.user is None:
        raise Forbidden("Sign in to start an evaluation.")
    gates.check_read(by, dataset)
    _check_subject(version)
    _check_dataset(dataset_version, model)
    settings = parameters.parse(given or {}, endpoint=rows.endpoint_of(version))
    available = datasets.count(dataset_version)
    total = min(available, settings.limit or available)
    if not total:
        raise Invalid("dataset", f"{dataset_version} has no rows in .jsonl, .csv or .parquet files.")
    if total > parameters.MAX_EXAMPLES:
        raise Invalid(
            "parameters.limit",
            f"{dataset_version} has {available} rows; an evaluation takes at most {parameters.MAX_EXAMPLES}. Set a limit.",
        )
    rows.check(dataset_version, settings, total=total)
    evaluation = Evaluation.objects.create(
        team=model.team,
        model=model,
        version=version,
        dataset=dataset,
        dataset_version=dataset_version,
        total=total,
        rows=available,
        parameters=settings.as_json(),
        lease_until=timezone.now() + leasing.TURN,
        created_by=by.user,
    )
    record(
        Action.EVALUATION_STARTED,
        by=by,
        team=model.team.name,
        target=target_of(evaluation),
        also=about(evaluation),
        after={"examples": total, "parameters": evaluation.parameters},
    )
    wake.after_commit("evaluation.tasks.run", evaluation.pk)
    return evaluation


@transaction.atomic
def cancel_evaluation(*, evaluation: Evaluation, by: Actor) -> Evaluation:
    """End it now: a worker that is at it finds its lease gone within a second or two and drops what it has in hand."""
    require(by, Permission.EVALUATION_RUN, evaluation.model)
    locked = Evaluation.objects.select_for_update(of=("self",)).with_labels().filter(pk=evaluation.pk).first()
    if locked is None:
        raise NotFound("There is no such evaluation.")
    if locked.has_ended:
        raise Conflict(f"This evaluation is {locked.state} already.")
    _end(locked, State.CANCELLED, message="", by=by, action=Action.EVALUATION_CANCELLED)
    return locked


def hold_model(*, evaluation_id: int, owner: str) -> tuple[Evaluation, Deployment]:
    """Keep the model up for the evaluation. In the lock of its row, so that nothing is held for one that has ended."""
    with transaction.atomic():
        evaluation = LEASES.locked(evaluation_id, owner)
        if evaluation.state == State.QUEUED:
            evaluation.state, evaluation.started_at = State.RUNNING, timezone.now()
            evaluation.save(update_fields=["state", "started_at"])
            record(
                Action.EVALUATION_TAKEN_UP,
                by=actor_for(evaluation),
                team=evaluation.team.name,
                target=target_of(evaluation),
                also=about(evaluation),
                before={"state": State.QUEUED.value},
                after={"state": State.RUNNING.value},
            )
        return evaluation, hold_target(version=evaluation.version, holder=evaluation.holder, by=actor_for(evaluation))


def store_answers(*, evaluation_id: int, owner: str, answers: Sequence[Answer]) -> Evaluation:
    """Score answers and keep them with one INSERT; the count moves in the same transaction. An example that is there already stays as it is."""
    with transaction.atomic():
        evaluation = LEASES.locked(evaluation_id, owner)
        asked = [answer.question.index for answer in answers]
        there = set(evaluation.examples.filter(index__in=asked).values_list("index", flat=True))
        fresh = {answer.question.index: answer for answer in answers if answer.question.index not in there}
        Example.objects.bulk_create([_example(evaluation, a) for a in fresh.values()], ignore_conflicts=True)
        evaluation.done += len(fresh)
        evaluation.errors += sum(bool(answer.error) for answer in fresh.values())
        if fresh:
            evaluation.stalls = 0
        evaluation.save(update_fields=["done", "errors", "stalls"])
        return evaluation


def finish_evaluation(*, evaluation_id: int, owner: str) -> Evaluation:
    """Compute the metrics, keep them as evidence about the version's digest, and end: one transaction."""
    with transaction.atomic():
        evaluation = LEASES.locked(evaluation_id, owner)
        found = evaluation.examples.order_by("index").values_list("scores", "latency_ms", "tokens")
        results = metrics.compute([metrics.Measured(*values) for values in found.iterator(2_000)])
        evaluation.results = results
        evaluation.save(update_fields=["results"])
        by = actor_for(evaluation)
        if evaluation.is_whole:
            deposit_evidence(
                team=evaluation.team,
                kind="evaluation",
                subject_digest=evaluation.version.digest,
                label=f"Evaluation {evaluation.pk} on {evaluation.dataset_version}",
                payload={
                    "metrics": results,
                    "dataset": {
                        "label": str(evaluation.dataset),
                        "version": evaluation.dataset_version.number,
                        "digest": evaluation.dataset_version.digest,
                    },
                    "evaluation": evaluation.pk,
                    "examples": {"total": evaluation.total, "without_answer": evaluation.errors},
                    "parameters": evaluation.parameters,
                },
                link=evaluation.get_absolute_url(),
                by=by,
                also=[target_of(evaluation), *about(evaluation)],
            )
        _end(evaluation, State.SUCCEEDED, message="", by=by, action=Action.EVALUATION_FINISHED)
        return evaluation


def fail_evaluation(*, evaluation_id: int, owner: str, message: str) -> Evaluation:
    """End it with what went wrong. Examples that were scored stay to look at; there are no metrics and no evidence."""
    with transaction.atomic():
        evaluation = LEASES.locked(evaluation_id, owner)
        _end(
            evaluation,
            State.FAILED,
            message=message[:2_000],
            by=actor_for(evaluation),
            action=Action.EVALUATION_FINISHED,
        )
        return evaluation


def _end(evaluation: Evaluation, state: str, *, message: str, by: Actor, action: Action) -> None:
    before = {"state": evaluation.state}
    evaluation.state, evaluation.message = state, message
    evaluation.finished_at = timezone.now()
    evaluation.lease_owner = ""
    evaluation.save(update_fields=["state", "message", "finished_at", "lease_owner"])
    after: dict[str, Any] = {"state": state, "done": evaluation.done, "total": evaluation.total}
    if evaluation.results:
        after["metrics"] = evaluation.results
    record(
        action,
        by=by,
        team=evaluation.team.name,
        target=target_of(evaluation),
        also=about(evaluation),
        before=before,
        after=after,
        reason=message,
    )
    release_target(holder=evaluation.holder, by=by)


def actor_for(evaluation: Evaluation) -> Actor:
    """Tasks act for whoever started the evaluation."""
    return Actor(evaluation.created_by, via="task")


def target_of(evaluation: Evaluation) -> Target:
    return Target("evaluation", evaluation.pk, str(evaluation))


def about(evaluation: Evaluation) -> list[Target]:
    """What an evaluation belongs to the life of."""
    found = []
    for version, asset in ((evaluation.version, evaluation.model), (evaluation.dataset_version, evaluation.dataset)):
        found.append(Target("version", version.pk, f"{asset} version {version.number}", version.digest))
        found.append(Target(asset.kind, asset.pk, str(asset)))
    return found


def _example(evaluation: Evaluation, answer: Answer) -> Example:
    question = answer.question
    scored = score_of_no_answer(question.expected) if answer.error else score(answer.output, question.expected)
    return Example(
        evaluation=evaluation,
        index=question.index,
        input=question.input,
        expected=question.expected,
        output=answer.output,
        correct=scored.correct,
        scores=scored.as_json(),
        latency_ms=None if answer.error else answer.latency_ms,
        tokens=None if answer.error else answer.tokens,
        error=answer.error,
    )


def _check_subject(version: Version) -> None:
    model = version.asset
    if model.kind != Asset.Kind.MODEL:
        raise Invalid("model", f"{model} is a dataset. Evaluations are of models, on datasets.")
    if model.task == Asset.Task.FEATURE_EXTRACTION:
        raise Invalid(
            "model",
            f"{model} makes embeddings: it writes no text that could be compared with what was expected. "
            "There are no metrics for embeddings yet.",
        )
    if not version.is_registered:
        raise Invalid("version", f"{version} is a draft. Register it first: a result is about exact bytes.")
    check_servable(version)


def _check_dataset(version: Version, model: Asset) -> None:
    dataset = version.asset
    if dataset.kind != Asset.Kind.DATASET:
        raise Invalid("dataset", f"{dataset} is a model. Choose a dataset with inputs and expected texts.")
    if dataset.team_id != model.team_id:
        raise Invalid(
            "dataset",
            f"{dataset} belongs to another team. Results show its rows to everybody who sees {model}, so copy it to that team.",
        )
    if not version.is_registered:
        raise Invalid("dataset_version", f"{version} is a draft. Register it first.")
