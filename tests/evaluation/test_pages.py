import pytest
from django.utils import timezone

from evaluation import runner, turns
from evaluation.models import Evaluation

LIST, NEW, TAB = "/evaluations/", "/evaluations/new", "/models/acme/date-normaliser/evaluations"


def text(response):
    assert response.status_code == 200, response.content[:2000]
    return response.content.decode()


FORM = {
    "model": "acme/date-normaliser", "version": "1", "dataset": "acme/dates", "dataset_version": "", "max_tokens": "12",
    "temperature": "0", "input_field": "input", "expected_field": "expected", "limit": "",
}  # fmt: skip


def test_an_empty_list_says_what_it_is_for(cast, client_of):
    assert "No evaluations yet" in text(client_of(cast.alice).get(LIST))
    assert "New evaluation" not in text(client_of(cast.victor).get(LIST))


def test_the_form_is_filled_from_the_address_and_starts_an_evaluation(evaluating, rows, client_of, cast):
    alice = client_of(cast.alice)
    page = text(alice.get(f"{NEW}?model=acme/date-normaliser&version=1"))
    assert 'value="acme/date-normaliser"' in page
    assert '<option value="1" selected>' in page
    assert '<option value="acme/dates">' in page
    answer = alice.post(NEW, FORM)
    evaluation = Evaluation.objects.get()
    assert (answer.status_code, answer["Location"]) == (302, f"/evaluations/{evaluation.pk}")
    assert evaluation.parameters["max_tokens"] == 12


def test_choosing_a_model_offers_its_versions(evaluating, rows, client_of, cast):
    page = text(client_of(cast.alice).get("/evaluations/new/choices?model=acme/date-normaliser&dataset=acme/dates"))
    assert page.count('<option value="1">') == 2
    assert "<html" not in page


@pytest.mark.parametrize(
    ("change", "shown"),
    [
        ({"model": "acme/none"}, "There is no model"),
        ({"dataset": "acme/none"}, "There is no dataset"),
        ({"expected_field": "answer"}, "rows.jsonl, row 1"),
        ({"max_tokens": "0"}, "greater than or equal to 1"),
    ],
)
def test_the_form_shows_what_is_wrong_at_its_field(evaluating, rows, client_of, cast, change, shown):
    answer = client_of(cast.alice).post(NEW, {**FORM, **change})
    assert answer.status_code == 422
    assert shown in answer.content.decode()
    assert not Evaluation.objects.exists()


@pytest.mark.parametrize("name", ["victor", "carol", "mallory"])
def test_who_may_evaluate_nothing_is_told_what_is_missing(evaluating, rows, client_of, cast, name):
    for answer in (client_of(getattr(cast, name)).get(NEW), client_of(getattr(cast, name)).post(NEW, FORM)):
        assert answer.status_code == 403
        assert "evaluation.run" in answer.content.decode()


def test_the_page_of_a_running_one_shows_counts_time_left_and_cancel(evaluating, client_of, cast, monkeypatch):
    monkeypatch.setattr(turns, "TURN_S", 0.1)
    evaluating.stand.delay_s = 0.02
    evaluation = evaluating.start()
    alice = client_of(cast.alice)
    runner.take_turn(evaluation.pk)
    assert "Starting the model" in text(alice.get(f"/evaluations/{evaluation.pk}"))
    evaluating.up()
    runner.take_turn(evaluation.pk)
    evaluation.refresh_from_db()
    page = text(alice.get(f"/evaluations/{evaluation.pk}"))
    assert f"{evaluation.done} of 40 examples" in page
    assert " left" in page
    assert 'hx-trigger="every 1s"' in page
    assert f'action="/evaluations/{evaluation.pk}/cancel"' in page
    live = text(alice.get(f"/evaluations/{evaluation.pk}/live"))
    assert live.lstrip().startswith('<div id="evaluation"')
    viewer = text(client_of(cast.victor).get(f"/evaluations/{evaluation.pk}"))
    assert "/cancel" not in viewer
    assert alice.post(f"/evaluations/{evaluation.pk}/cancel").status_code == 302
    page = text(alice.get(f"/evaluations/{evaluation.pk}"))
    assert "Cancelled after" in page
    assert "hx-trigger" not in page.split('id="evaluation"')[1].split(">")[0]


def test_results_show_intervals_failures_first_and_the_difference(evaluating, client_of, cast):
    evaluating.stand.wrong = {"in 7": "uot 7"}
    evaluation = evaluating.finish(evaluating.start())
    page = text(client_of(cast.victor).get(f"/evaluations/{evaluation.pk}"))
    assert "97.5 %" in page
    assert "data-chart" in page
    assert page.index("uot 7") < page.index("out 0")
    assert "<del>" in page
    assert "<ins>" in page
    assert "nothing is in production yet" in page
    wrong = text(client_of(cast.victor).get(f"/evaluations/{evaluation.pk}?show=wrong"))
    assert "uot 7" in wrong
    assert "out 12" not in wrong
    found = text(client_of(cast.victor).get(f"/evaluations/{evaluation.pk}?search=in+12"))
    assert "out 12" in found
    assert "uot 7" not in found


def test_results_stand_beside_what_is_in_production(evaluating, client_of, cast, model_version, make_version):
    from registry.models import Alias

    worse = make_version(model_version.asset, None)
    Alias.objects.create(asset=model_version.asset, name="production", version=worse, updated_by=cast.alice)
    page = text(client_of(cast.alice).get(f"/evaluations/{evaluating.finish(evaluating.start()).pk}"))
    assert "version 2, which is in production, was not evaluated" in page
    evaluating.stand.wrong = {f"in {number}": "x" for number in range(30)}
    evaluating.finish(evaluating.start(version=worse))
    evaluating.stand.wrong = {"in 39": "x"}
    evaluation = evaluating.finish(evaluating.start())
    page = text(client_of(cast.alice).get(f"/evaluations/{evaluation.pk}"))
    assert "30 examples mended, 1 broken" in page
    assert "better" in page


def test_the_models_tab_compares_versions(evaluating, client_of, cast, model_version, make_version):
    evaluating.finish(evaluating.start())
    evaluating.finish(evaluating.start(version=make_version(model_version.asset, None)))
    page = text(client_of(cast.victor).get(TAB))
    assert "Version 1" in page
    assert "Version 2" in page
    assert "Exact match by version" in page
    assert client_of(cast.mallory).get(TAB).status_code == 404


def test_doors_of_pages(evaluating, client_of, cast, client):
    evaluation = evaluating.start()
    page = f"/evaluations/{evaluation.pk}"
    for path in (LIST, NEW, page, f"{page}/live", TAB):
        assert client.get(path).status_code == 302
    mallory, victor = client_of(cast.mallory), client_of(cast.victor)
    assert mallory.get(page).status_code == 404
    assert mallory.post(f"{page}/cancel").status_code == 404
    assert victor.post(f"{page}/cancel").status_code == 403
    assert victor.get(f"{page}/cancel").status_code == 405
    assert victor.post(page).status_code == 405
    evaluation.refresh_from_db()
    assert evaluation.state == "queued"


def test_pages_cost_the_same_with_one_and_with_many(evaluating, client_of, cast, django_assert_max_num_queries):
    alice = client_of(cast.alice)
    evaluating.finish(evaluating.start())
    for _ in range(10):
        evaluating.start(limit=1)
    Evaluation.objects.filter(state="queued").update(state="cancelled", finished_at=timezone.now())
    alice.get(LIST)
    with django_assert_max_num_queries(12):
        text(alice.get(LIST))
    with django_assert_max_num_queries(16):
        text(alice.get(TAB))
    with django_assert_max_num_queries(16):
        text(alice.get(f"/evaluations/{Evaluation.objects.get(state='succeeded').pk}"))
