"""REST: start, follow, read cells, cancel."""


def run_of(**more):
    return {
        "team": "acme",
        "columns": [{"content": {"template": "Say {{ x }}"}, "model": "acme/echo"}],
        "rows": [{"x": "a"}, {"x": "b"}],
        **more,
    }


def test_run_is_started_followed_and_read_page_by_page(play, cast, api):
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
