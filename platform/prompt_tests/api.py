"""Native REST of tests of prompts; a CI recipe lives on it."""

from typing import Any

from drf_spectacular.utils import OpenApiParameter, extend_schema, inline_serializer
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.errors import Invalid
from accounts.numbers import whole
from accounts.rest import ApiView, keyset_page, page_arguments, page_response
from prompt_tests import actions, reads
from prompt_tests import serializers as shapes
from prompts.checks import check_content
from prompts.reads import get_prompt, get_version, withhold

_PAGE = [
    OpenApiParameter("cursor", str, description="`next` of the page before."),
    OpenApiParameter("limit", int, description="How many, 1 to 200; 50 without it."),
]
_TAGS = ["prompt tests"]


def _page_of(name: str, shape: Any) -> Any:
    return inline_serializer(name, {"results": shape(many=True), "next": serializers.CharField(allow_null=True)})


def _body(request: Request) -> dict[str, Any]:
    """As it was sent: prompt_tests.suites reads it, and names what it doesn't know."""
    if not isinstance(request.data, dict):
        raise Invalid("body", "Send a JSON object.")
    return dict(request.data)


class SuiteView(ApiView):
    @extend_schema(
        operation_id="prompt_tests_get", tags=_TAGS, summary="Read a prompt's tests", responses=shapes.SuiteOut
    )
    def get(self, request: Request, team: str, name: str) -> Response:
        prompt = get_prompt(self.by, f"{team}/{name}")
        return Response(shapes.show_suite(reads.newest_revision(prompt)))

    @extend_schema(
        operation_id="prompt_tests_put",
        tags=_TAGS,
        summary="Write a prompt's tests",
        description="As a new revision; the same again changes nothing. With If-Match, the number of the revision that it was made "
        "from, 409 when there is a newer one. Needs asset.edit.",
        request=shapes.SuiteShape,
        responses=shapes.SuiteOut,
    )
    def put(self, request: Request, team: str, name: str) -> Response:
        prompt = get_prompt(self.by, f"{team}/{name}")
        match = request.headers.get("If-Match", "").strip().strip('"')
        expected = whole(match, below=2**31) if match else None
        if match and expected is None:
            raise Invalid("If-Match", "Send the number of a revision.")
        revision = actions.save_suite(prompt=prompt, content=_body(request), expected=expected, by=self.by)
        return Response(shapes.show_suite(revision))


class Cases(ApiView):
    @extend_schema(
        operation_id="prompt_tests_add_case",
        tags=_TAGS,
        summary="Add a case",
        description="Written by hand, as a new revision of the tests. Needs asset.edit.",
        request=shapes.CaseIn,
        responses={201: shapes.SuiteOut},
    )
    def post(self, request: Request, team: str, name: str) -> Response:
        prompt = get_prompt(self.by, f"{team}/{name}")
        given = _body(request)
        if unknown := sorted(set(given) - {"variables", "expected", "assertions", "name"}):
            raise Invalid(unknown[0], "There is no such field here: give variables, expected, assertions and name.")
        if not isinstance(given.get("variables", {}), dict):
            raise Invalid("variables", 'Values by name, such as {"customer": "Ann"}.')
        assertions = given.get("assertions") or []
        if not isinstance(assertions, list) or not all(isinstance(one, dict) for one in assertions):
            raise Invalid("assertions", "Give a list of assertions.")
        revision = actions.add_case(
            prompt=prompt, variables=given.get("variables", {}), expected=given.get("expected", ""),
            assertions=assertions, name=given.get("name", ""), by=self.by,
        )  # fmt: skip
        return Response(shapes.show_suite(revision), status=201)


class Runs(ApiView):
    @extend_schema(
        operation_id="prompt_test_runs_list",
        tags=_TAGS,
        summary="List test runs, newest first",
        parameters=[OpenApiParameter("version", int, description="Only of this version."), *_PAGE],
        responses=_page_of("SuiteRunPage", shapes.SuiteRunOut),
    )
    def get(self, request: Request, team: str, name: str) -> Response:
        prompt = get_prompt(self.by, f"{team}/{name}")
        text = request.query_params.get("version", "")
        version = whole(text, below=2**31) if text else None
        if text and version is None:
            raise Invalid("version", "Give a version's number.")
        rows = reads.list_runs(self.by, prompt, version=version)
        return page_response(request, rows, order=["-id"], show=shapes.show_run)

    @extend_schema(
        operation_id="prompt_test_runs_create",
        tags=_TAGS,
        summary="Run the tests",
        description="Of a version, or of `content` that is none yet (a pull request's text). Read the run until `ended`; then `green`, "
        "`passed` and `failed` say how it went. Needs evaluation.run, and model.invoke on each model.",
        request=shapes.RunIn,
        responses={201: shapes.SuiteRunOut},
    )
    def post(self, request: Request, team: str, name: str) -> Response:
        prompt = get_prompt(self.by, f"{team}/{name}")
        given = self.read(shapes.RunIn)
        raw = _body(request).get("content")
        if (given.get("version") is None) == (raw is None):
            raise Invalid("version", "Give either a version's number or content.")
        subject: dict[str, Any]
        if raw is not None:
            content = check_content(**_fields(raw), team=prompt.team, prompt=prompt, by=self.by)
            subject = {"content": content}
        else:
            subject = {"version": get_version(self.by, prompt, given["version"])}
        run = actions.create_run(prompt=prompt, models=given.get("models") or [], by=self.by, **subject)
        return Response(shapes.show_run(run), status=201, headers={"Location": f"/api/v1/prompt-tests/{run.pk}"})


def _fields(raw: Any) -> dict[str, Any]:
    """As they were sent: DRF's JSONField would read a text that looks like JSON as JSON."""
    known = list(shapes.ContentIn().fields)
    if unknown := sorted(set(raw) - set(known)):
        raise Invalid(f"content.{unknown[0]}", f"There is no such field here. Known are {', '.join(known)}.")
    return {name: raw[name] for name in known if name in raw}


class RunView(ApiView):
    @extend_schema(
        operation_id="prompt_test_runs_get", tags=_TAGS, summary="Read a test run", responses=shapes.SuiteRunOut
    )
    def get(self, request: Request, test_run_id: int) -> Response:
        return Response(shapes.show_run(reads.get_run(self.by, test_run_id)))


class Results(ApiView):
    @extend_schema(
        operation_id="prompt_test_results_list",
        tags=_TAGS,
        summary="List a run's results",
        description="What was asked, expected and answered, with each assertion's verdict and its reason; also while it runs.",
        parameters=[
            OpenApiParameter("show", str, enum=list(reads.SHOW), description="Only these."),
            OpenApiParameter("failed_first", bool, description="Failures before what passed."),
            OpenApiParameter(
                "against", int, description="Another run of the prompt: adds how the same test went there."
            ),
            *_PAGE,
        ],
        responses=_page_of("CaseResultPage", shapes.CaseResultOut),
    )
    def get(self, request: Request, test_run_id: int) -> Response:
        run = reads.get_run(self.by, test_run_id)
        text = request.query_params.get("against", "")
        other = whole(text) if text else None
        if text and other is None:
            raise Invalid("against", "Give the number of a run.")
        against = reads.get_run(self.by, other) if other is not None else None
        if against is not None and not reads.may_read_rows(self.by, against):
            raise Invalid("against", "You may not read the dataset that this run was on.")
        rows = reads.results_of(self.by, run, show=request.query_params.get("show", "all"), against=against)
        failed_first = request.query_params.get("failed_first", "") in ("1", "true", "True")
        order = ["passed", "index"] if failed_first else ["index"]
        cursor, limit = page_arguments(request)
        found, following = keyset_page(rows, order=order, cursor=cursor, limit=limit)
        withhold(self.by, found)
        return Response({"results": [shapes.show_result(one) for one in found], "next": following})


class Cancel(ApiView):
    @extend_schema(
        operation_id="prompt_test_runs_cancel",
        tags=_TAGS,
        summary="Cancel a test run",
        description="It ends at once; results that came stay. 409 when it has ended already.",
        request=None,
        responses=shapes.SuiteRunOut,
    )
    def post(self, request: Request, test_run_id: int) -> Response:
        run = reads.get_run(self.by, test_run_id)
        return Response(shapes.show_run(actions.cancel_run(run=run, by=self.by)))
