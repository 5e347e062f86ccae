"""REST: start, follow, read cells, cancel."""


def run_of(**more):
    return {
        "team": "acme",
        "columns": [{"content": {"template": "Say {{ x }}"}, "model": "acme/echo"}],
        "rows": [{"x": "a"}, {"x": "b"}],
        **more,
    }


def test_run_is_started_followed_and_read_page_by_page(play, cast, api, client_of):
    alice = api(cast.alice)
    made = alice.post("/api/v1/playground/runs", run_of(repeats=2, name="by rest"))
    assert made.status_code == 201 and made.json()["state"] == "queued" and made.json()["total"] == 4
    pk = made.json()["id"]
    from playground.models import PlaygroundRun

    play.finish(PlaygroundRun.objects.get(pk=pk))
    run = alice.get(made["Location"]).json()
    assert (run["state"], run["done"]) == ("finished", 4)
    assert run["columns"][0]["agreement"] == 1.0 and run["columns"][0]["cost"] == ["0.000072 USD"]
    first = alice.get(f"/api/v1/playground/runs/{pk}/cells?limit=3").json()
    rest = alice.get(f"/api/v1/playground/runs/{pk}/cells?limit=3&cursor={first['next']}").json()
    cells = first["results"] + rest["results"]
    assert [(cell["row"], cell["repeat"], cell["values"]) for cell in cells][:2] == [
        (0, 0, {"x": "a"}),
        (0, 1, {"x": "a"}),
    ]
    assert len(cells) == 4 and rest["next"] is None and cells[0]["cost"] == "0.000018"
    assert [row["id"] for row in alice.get("/api/v1/playground/runs?team=acme&state=finished").json()["results"]] == [
        pk
    ]
    assert alice.post(f"/api/v1/playground/runs/{pk}/cancel").status_code == 409
    page = client_of(cast.alice).get("/playground/").content.decode()
    assert f'href="/playground/runs/{pk}">by rest, {pk}<' in page and "4 of 4" in page


def test_wrong_fields_are_named_and_nothing_starts(play, cast, api):
    alice = api(cast.alice)
    for more, field in (
        ({"columns": []}, "columns"),
        ({"repeats": 99}, "repeats"),
        ({"dataset": "acme/none"}, None),
        ({"columns": [{"prompt": "acme/none", "model": "acme/echo"}]}, "columns[0].prompt"),
        ({"team": "rival"}, None),
    ):
        answer = alice.post("/api/v1/playground/runs", run_of(**more))
        assert answer.status_code in (400, 404), answer.content
        assert field is None or field in answer.json()["errors"], answer.json()
    assert api(cast.carol).post("/api/v1/playground/runs", run_of()).status_code == 403
    assert alice.get("/api/v1/playground/runs").json()["results"] == []


def test_cancel_and_strangers(play, cast, api):
    alice = api(cast.alice)
    pk = alice.post("/api/v1/playground/runs", run_of()).json()["id"]
    mallory = api(cast.mallory)
    assert mallory.get(f"/api/v1/playground/runs/{pk}").status_code == 404
    assert mallory.get(f"/api/v1/playground/runs/{pk}/cells").status_code == 404
    assert api(cast.carol).post(f"/api/v1/playground/runs/{pk}/cancel").status_code == 403
    assert alice.post(f"/api/v1/playground/runs/{pk}/cancel").json()["state"] == "cancelled"


def test_an_answer_is_rated_kept_made_a_test_and_gone_on_from(play, cast, api, actor, make_asset):
    from playground.models import PlaygroundRun
    from prompt_tests.models import Suite
    from prompts.actions import create_prompt, create_version

    prompt = create_prompt(team=cast.team, name="greet", by=actor(cast.alice))
    create_version(prompt=prompt, type="text", template="Say {{ x }}", by=actor(cast.alice))
    make_asset("examples", kind="dataset")
    alice, carol, mallory = api(cast.alice), api(cast.carol), api(cast.mallory)
    pk = alice.post(
        "/api/v1/playground/runs", run_of(columns=[{"prompt": "acme/greet", "model": "acme/echo"}], rows=[{"x": "a"}])
    ).json()["id"]
    run = play.finish(PlaygroundRun.objects.get(pk=pk))
    here = f"/api/v1/playground/cells/{play.cells(run)[0].pk}"
    assert alice.get(here).json()["messages"] == [{"role": "user", "content": "Say a"}]

    rated = alice.put(f"{here}/rating", {"good": True, "comment": "short"}).json()["ratings"]
    assert [(one["by"], one["good"], one["comment"]) for one in rated] == [(cast.alice.email, True, "short")]
    assert alice.delete(f"{here}/rating").status_code == 204 and alice.get(here).json()["ratings"] == []

    kept = alice.post(f"{here}/keep", {"dataset": "acme/examples"})
    assert kept.status_code == 201 and kept.json()["row"] == {"x": "a", "expected": "You said: Say a"}
    assert alice.get(here).json()["kept"] == [kept.json()]
    assert alice.post(f"{here}/keep", {"dataset": "acme/none"}).status_code == 404

    tested = alice.post(f"{here}/test", {})
    assert tested.status_code == 201
    case = Suite.objects.get(prompt=prompt).revisions.first().content["cases"][0]
    assert (case["variables"], case["expected"]) == ({"x": "a"}, "You said: Say a")

    went = alice.post(f"{here}/continue", {"said": "And b?"})
    assert went.status_code == 201 and went.json()["turn"] == 1
    play.finish(run)
    assert alice.get(went["Location"]).json()["output"] == "You said: And b?"
    assert alice.post(f"{here}/continue", {"said": "again"}).status_code == 409
    assert alice.post(f"{went['Location']}/retry").json()["state"] == "waiting"
    alice.post(f"/api/v1/playground/runs/{pk}/cancel")
    assert alice.post(f"/api/v1/playground/runs/{pk}/retry").json()["state"] == "queued"

    for address, body in (("keep", {"dataset": "acme/examples"}), ("test", {}), ("continue", {"said": "x"})):
        assert carol.post(f"{here}/{address}", body).status_code == 403, address
        assert mallory.post(f"{here}/{address}", body).status_code == 404, address
    assert carol.put(f"{here}/rating", {"good": True}).json()["permission"] == "asset.edit"
