"""What tokens cost: set by those who may deploy, told by the ledger, counted exactly."""

from decimal import Decimal

import pytest
from django.db import IntegrityError, transaction

from accounts.errors import Forbidden, Invalid
from governance.ledger.models import AuditEvent
from serving import actions, prices
from serving.models import Deployment
from tests.serving.conftest import make_version

pytestmark = pytest.mark.usefixtures("machine")


@pytest.fixture
def deployment(cast, actor):
    return actions.create_deployment(
        team=cast.team, name="dates", version=make_version(cast), stage="development", by=actor(cast.dana)
    )


def priced(deployment, by, given="0.5", answered="2"):
    return actions.set_prices(deployment=deployment, input_price=Decimal(given), output_price=Decimal(answered), by=by)


def test_cost_is_tokens_times_price(deployment, cast, actor):
    assert prices.cost_of(deployment, 10, 10) is None
    done = priced(deployment, actor(cast.dana))
    assert prices.cost_of(done, 1_000_000, 500_000) == Decimal("1.5")
    assert prices.cost_of(done, 1, 1) == Decimal("0.0000025")
    assert prices.cost_of(done, None, None) is None
    assert prices.cost_of(None, 1, 1) is None
    assert prices.deployment_called("acme/dates") == done
    assert prices.deployment_called("dates") is None


def test_price_leaves_one_event_and_the_same_again_none(deployment, cast, actor):
    priced(deployment, actor(cast.dana))
    priced(deployment, actor(cast.dana))
    event = AuditEvent.objects.get(action="deployment.priced")
    assert event.before == {"input_per_million": "", "output_per_million": "", "currency": ""}
    assert event.after == {"input_per_million": "0.5", "output_per_million": "2", "currency": "USD"}
    actions.set_prices(deployment=deployment, input_price=None, output_price=None, by=actor(cast.dana))
    assert Deployment.objects.get().price_currency == ""


@pytest.mark.parametrize("amount", ["-1", "1000001", "0.0000001", "NaN", "Infinity"])
def test_what_is_no_price_is_refused_by_name(deployment, cast, actor, amount):
    with pytest.raises(Invalid) as refusal:
        priced(deployment, actor(cast.dana), given=amount)
    assert list(refusal.value.errors) == ["input_price"]


def test_one_price_without_the_other_is_refused_here_and_in_the_database(deployment, cast, actor):
    with pytest.raises(Invalid):
        actions.set_prices(deployment=deployment, input_price=Decimal(1), output_price=None, by=actor(cast.dana))
    with pytest.raises(IntegrityError, match="both_prices"), transaction.atomic():
        Deployment.objects.update(input_price=1)


def test_who_may_not_deploy_sets_no_price(deployment, cast, actor, api, client_of):
    with pytest.raises(Forbidden):
        priced(deployment, actor(cast.alice))
    answer = api(cast.alice).put(
        "/api/v1/deployments/acme/dates/prices",
        {"input_per_million": "1", "output_per_million": "1"},
        content_type="application/json",
    )
    assert answer.status_code == 403 and answer.json()["permission"] == "deployment.manage"
    assert "Price of a million" not in client_of(cast.victor).get("/deployments/acme/dates").content.decode()


def test_price_by_rest_and_on_the_page(deployment, cast, api, client_of):
    answer = api(cast.dana).put(
        "/api/v1/deployments/acme/dates/prices",
        {"input_per_million": "0.25", "output_per_million": 1},
        content_type="application/json",
    )
    assert answer.json()["prices"] == {"input_per_million": "0.25", "output_per_million": "1", "currency": "USD"}
    dana = client_of(cast.dana)
    assert "0.25 in, 1 out, USD" in dana.get("/deployments/acme/dates").content.decode()
    refused = dana.post("/deployments/acme/dates/prices", {"input_price": "3"})
    assert refused.status_code == 422 and "Give both prices" in refused.content.decode()
    assert dana.post("/deployments/acme/dates/prices", {}).status_code == 302
    assert api(cast.dana).get("/api/v1/deployments/acme/dates").json()["prices"] is None


@pytest.mark.parametrize(
    "amount, words",
    [
        ("0.0004234", "0.00042 USD"),
        ("0", "0.00 USD"),
        ("12.345", "12.34 USD"),
        ("0.5", "0.50 USD"),
        ("1234", "1,234.00 USD"),
    ],
)
def test_amounts_in_words(amount, words):
    assert prices.in_words(Decimal(amount), "USD") == words
