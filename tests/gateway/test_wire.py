"""The gateway's answers to the byte: errors, headers, states, time."""

import http.client
import json
import socket
import time
from datetime import timedelta
from urllib.parse import urlsplit

import pytest
from django.utils import timezone

CHAT = {"model": "acme/dates", "messages": [{"role": "user", "content": "hi"}]}


class Wire:
    def __init__(self, url, key=None):
        self.address = urlsplit(url).netloc
        self.key = key

    def __call__(self, method, path, body=None, headers=None, key=""):
        connection = http.client.HTTPConnection(self.address, timeout=20)
        key = self.key if key == "" else key
        sent = {**({"Authorization": f"Bearer {key}"} if key else {}), **(headers or {})}
        raw = body if isinstance(body, bytes | type(None)) else json.dumps(body).encode()
        try:
            connection.request(method, path, raw, sent)
            response = connection.getresponse()
            content = response.read()
        finally:
            connection.close()
        return response, content

    def error(self, status, *args, **kwargs):
        response, content = self(*args, **kwargs)
        assert response.status == status, content
        assert response.headers["content-type"] == "application/json"
        assert response.headers["x-request-id"]
        answer = json.loads(content)
        assert set(answer) == {"error"}
        assert set(answer["error"]) == {"message", "type", "param", "code"}
        return answer["error"], response.headers


@pytest.fixture
def wire(gateway_url, people, key_of):
    return Wire(gateway_url, key_of(people.alice))


def test_bad_requests_name_the_field(wire, deploy, model):
    deploy()
    post = ("POST", "/v1/chat/completions")
    assert wire.error(400, *post, b"{")[0]["code"] == "invalid_json"
    assert wire.error(400, *post, b"\xff\xfe")[0]["code"] == "invalid_json"
    assert wire.error(400, *post, [])[0]["code"] == "invalid_json"
    assert wire.error(400, *post, {"messages": []})[0]["param"] == "model"
    assert wire.error(400, *post, {"model": 3, "messages": []})[0]["param"] == "model"
    assert wire.error(400, *post, {"model": "acme/dates"})[0]["param"] == "messages"
    assert wire.error(400, "POST", "/v1/embeddings", {"model": "acme/dates"})[0]["param"] == "input"
    assert wire.error(400, "POST", "/v1/completions", {"model": "acme/dates"})[0]["param"] == "prompt"
    for name in ("acme/no", "dates", "../x", "a\u0000b", "ACME/DATES", "acme/dates/x"):
        assert wire.error(404, *post, {**CHAT, "model": name})[0]["code"] == "model_not_found"
    assert not model.calls


@pytest.mark.parametrize(
    "part",
    [
        {"type": "image_url", "image_url": {"url": "http://169.254.169.254/latest/meta-data"}},
        {"type": "image_url", "image_url": "https://other.example.com/a.png"},
        {"type": "image_url", "image_url": {"url": "http://images.example.com/a.png"}},
        {"type": "image_url", "image_url": {"url": "https://images.example.com@10.0.0.1/a.png"}},
        {"type": "image_url", "image_url": {"url": "https://images.example.com:8265/a.png"}},
        {"type": "image_url", "image_url": {"url": "https://10.0.0.1\\.images.example.com/a.png"}},
        {"type": "image_url", "image_url": {"url": ["https://images.example.com/a.png"]}},
        {"type": "audio_url", "audio_url": {"url": "file:///etc/passwd"}},
        {"type": "video_url", "video_url": "//images.example.com/a.mp4"},
    ],
)
def test_a_model_is_sent_nowhere_by_a_message(wire, deploy, model, part):
    deploy("dates")
    asked = {
        "model": "acme/dates",
        "messages": [{"role": "user", "content": [{"type": "text", "text": "What?"}, part]}],
    }
    error, _ = wire.error(400, "POST", "/v1/chat/completions", asked)
    assert error["code"] == "address_refused" and error["param"].startswith(f"messages[0].content[1].{part['type']}")
    assert not model.calls


@pytest.mark.parametrize(
    "url",
    ["data:image/png;base64,iVBORw0KGgo=", "https://images.example.com/a.png?b=1", "https://CDN.example.com:443/a"],
)
def test_what_comes_along_or_from_an_allowed_host_passes(wire, deploy, model, url):
    deploy("dates")
    part = {"type": "image_url", "image_url": {"url": url}}
    asked = {"model": "acme/dates", "messages": [{"role": "user", "content": [part]}]}
    response, content = wire("POST", "/v1/chat/completions", asked)
    assert response.status == 200, content
    assert len(model.calls) == 1


def test_a_stranger_learns_nothing_from_a_bad_body(wire):
    assert wire.error(401, "POST", "/v1/chat/completions", b"{", key=None)[0]["code"] == "invalid_api_key"
    assert wire.error(401, "POST", "/v1/chat/completions", b"{", key="cs_abc_def")[0]["code"] == "invalid_api_key"


def test_what_can_not_be_a_key(wire):
    for value in ("Bearer", "Bearer cs__", "Bearer cs_é_é", "Basic ÿ", "Basic w6k6Y3Nf", "Digest x", "cs_a_b"):
        assert (
            wire.error(401, "GET", "/v1/models", headers={"Authorization": value}, key=None)[0]["code"]
            == "invalid_api_key"
        )


def test_wrong_addresses_and_methods(wire):
    assert "use POST" in wire.error(405, "GET", "/v1/chat/completions")[0]["message"]
    assert wire.error(405, "POST", "/v1/models", {})[1]["allow"]
    wire.error(404, "POST", "/v1/no/such/thing", {})
    wire.error(404, "GET", "/")


def test_too_large(wire, deploy, model):
    deploy()
    big = {**CHAT, "messages": [{"role": "user", "content": "x" * 1_100_000}]}
    assert wire.error(413, "POST", "/v1/chat/completions", big)[0]["code"] == "request_too_large"
    assert not model.calls


def test_keys_that_are_no_longer_good(wire, people, gateway_url, key_of, deploy):
    from accounts.models import ApiKey

    deploy()
    key = key_of(people.bob)
    row = ApiKey.objects.get(user=people.bob)
    assert wire("GET", "/v1/models", key=key)[0].status == 200
    ApiKey.objects.filter(pk=row.pk).update(expires_at=timezone.now() - timedelta(seconds=1))
    assert "expired" in wire.error(401, "GET", "/v1/models", key=key)[0]["message"]
    ApiKey.objects.filter(pk=row.pk).update(expires_at=None, revoked_at=timezone.now())
    error, headers = wire.error(401, "GET", "/v1/models", key=key)
    assert "revoked" in error["message"]
    assert headers["www-authenticate"].startswith("Bearer")
    ApiKey.objects.filter(pk=row.pk).update(revoked_at=None)
    people.bob.is_active = False
    people.bob.save(update_fields=["is_active"])
    assert "deactivated" in wire.error(401, "GET", "/v1/models", key=key)[0]["message"]


def test_basic_works_too(wire, deploy):
    import base64

    deploy()
    key_id = wire.key.split("_")[1]
    basic = base64.b64encode(f"{key_id}:{wire.key}".encode()).decode()
    assert wire("GET", "/v1/models", headers={"Authorization": f"Basic {basic}"}, key=None)[0].status == 200


@pytest.mark.parametrize(
    ("state", "code", "again"),
    [
        ("queued", "model_starting", True),
        ("starting", "model_starting", True),
        ("stopped", "model_stopped", False),
        ("stopping", "model_stopped", False),
        ("failed", "model_failed", False),
    ],
)
def test_a_deployment_that_does_not_answer(wire, deploy, state, code, again):
    deploy(state=state, endpoint="", message="no such file")
    error, headers = wire.error(503, "POST", "/v1/chat/completions", CHAT)
    assert error["code"] == code
    assert ("retry-after" in headers) is again
    assert (headers.get("x-should-retry") == "false") is not again
    if state == "failed":
        assert "no such file" in error["message"]


def test_what_ray_serve_says_is_put_into_words(wire, deploy):
    deploy()

    def say(text):
        return {**CHAT, "messages": [{"role": "user", "content": text}]}

    error, headers = wire.error(503, "POST", "/v1/chat/completions", say("serve-404"))
    assert (error["code"], headers["retry-after"]) == ("unavailable", "2")
    assert wire.error(502, "POST", "/v1/chat/completions", say("crash"))[0]["code"] == "upstream_error"
    error, headers = wire.error(502, "POST", "/v1/chat/completions", say("hang"))
    assert (error["code"], headers["x-should-retry"]) == ("upstream_timeout", "false")


def test_a_model_that_is_gone(wire, deploy):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    deploy(endpoint=f"http://127.0.0.1:{port}/x")
    error, headers = wire.error(503, "POST", "/v1/chat/completions", CHAT)
    assert (error["code"], headers["retry-after"]) == ("unavailable", "2")


def test_names_in_all_spellings(wire, people, key_of, deploy, model):
    deploy()
    key = key_of(people.alice, team=people.team)
    for name in ("dates", "acme/dates", "acme%2Fdates"):
        assert wire("POST", "/v1/chat/completions", {**CHAT, "model": name}, key=key)[0].status == 200
        # The engine knows the deployment by one name.
        assert model.calls[-1][1]["model"] == "acme/dates"
    assert json.loads(wire("GET", "/v1/models/acme%2Fdates")[1])["id"] == "acme/dates"
    assert json.loads(wire("GET", "/v1/models/dates", key=key)[1])["id"] == "acme/dates"


def test_a_key_of_one_team_reaches_no_other(wire, people, key_of, deploy):
    from accounts.access import Actor
    from accounts.actions import create_team, grant_role
    from accounts.roles import Role

    other = create_team(name="other", by=Actor(people.admin))
    grant_role(user=people.alice, role=Role.VIEWER, on=other, by=Actor(people.admin))
    deploy()
    deploy("dates", team=other)
    own = key_of(people.alice, team=people.team)
    assert wire("POST", "/v1/chat/completions", {**CHAT, "model": "other/dates"})[0].status == 200
    wire.error(404, "POST", "/v1/chat/completions", {**CHAT, "model": "other/dates"}, key=own)
    assert [m["id"] for m in json.loads(wire("GET", "/v1/models")[1])["data"]] == ["acme/dates", "other/dates"]
    assert [m["id"] for m in json.loads(wire("GET", "/v1/models", key=own)[1])["data"]] == ["acme/dates"]


def test_a_role_on_one_deployment_is_enough(wire, people, key_of, deploy):
    from accounts.access import Actor
    from accounts.actions import grant_role
    from accounts.roles import Role

    deployment = deploy()
    deploy("second")
    key = key_of(people.mallory)
    assert json.loads(wire("GET", "/v1/models", key=key)[1])["data"] == []
    grant_role(user=people.mallory, role=Role.VIEWER, on=deployment, by=Actor(people.admin))
    assert wire("POST", "/v1/chat/completions", CHAT, key=key)[0].status == 200
    assert [m["id"] for m in json.loads(wire("GET", "/v1/models", key=key)[1])["data"]] == ["acme/dates"]
    wire.error(404, "POST", "/v1/chat/completions", {**CHAT, "model": "acme/second"}, key=key)


def test_every_role_as_the_site_would_decide(wire, people, key_of, deploy):
    """The gateway's statement and accounts.access.can agree."""
    from accounts.access import Actor, can
    from accounts.roles import Permission

    deployment = deploy()
    for name in ("alice", "bob", "carol", "dana", "victor", "admin", "mallory"):
        user = getattr(people, name)
        status = wire("POST", "/v1/chat/completions", CHAT, key=key_of(user))[0].status
        assert (status == 200) is can(Actor(user), Permission.MODEL_INVOKE, deployment), name
        assert (status != 404) is can(Actor(user), Permission.DEPLOYMENT_VIEW, deployment), name


@pytest.mark.parametrize(
    ("narrower", "sees", "calls"),
    [
        ({"prefix": "dat"}, True, True), ({"prefix": "x"}, False, False), ({"prefix": "dat", "kind": "model"}, False, False),
        ({"stage": "staging"}, True, True), ({"stage": "production"}, True, False), ({"gone": True}, False, False),
        ({"own": ["deployment.view"]}, True, False), ({"own": ["deployment.view", "model.invoke"]}, True, True),
    ],
)  # fmt: skip
def test_a_narrowed_grant_as_the_site_would_decide(wire, people, key_of, deploy, narrower, sees, calls):
    from accounts.access import Actor, can
    from accounts.actions import create_role, grant
    from accounts.models import Grant
    from accounts.roles import Permission

    by, deployment, fields, role = Actor(people.admin), deploy(), dict(narrower), "viewer"
    gone = fields.pop("gone", False)
    if own := fields.pop("own", None):
        role = create_role(team=people.team, slug="own", permissions=own, by=by).slug
    row, _ = grant(user=people.mallory, role=role, on=people.team, by=by, **fields)
    if gone:
        Grant.objects.filter(pk=row.pk).update(expires_at=timezone.now() - timedelta(seconds=1))
    key = key_of(people.mallory)
    status = wire("POST", "/v1/chat/completions", CHAT, key=key)[0].status
    assert status == (200 if calls else 403 if sees else 404)
    assert (sees, calls) == (
        can(Actor(people.mallory), Permission.DEPLOYMENT_VIEW, deployment),
        can(Actor(people.mallory), Permission.MODEL_INVOKE, deployment),
    )
    assert bool(json.loads(wire("GET", "/v1/models", key=key)[1])["data"]) is calls


def test_a_key_works_from_its_networks_alone_and_its_uses_are_noted(wire, people, deploy):
    from accounts.access import Actor
    from accounts.actions import create_key
    from accounts.keys import record_noted_uses
    from accounts.models import KeyAddress
    from governance.ledger.models import AuditEvent

    deploy()
    _, inside = create_key(name="in", networks=["127.0.0.0/8"], by=Actor(people.alice))
    _, outside = create_key(name="out", networks=["192.0.2.0/24"], by=Actor(people.alice))
    for _ in range(2):
        assert wire("GET", "/v1/models", key=inside)[0].status == 200
        refused = wire.error(403, "GET", "/v1/models", headers={"x-forwarded-for": "192.0.2.1"}, key=outside)[0]
        assert refused["code"] == "key_network" and "127.0.0.1" in refused["message"]
    deadline = time.monotonic() + 5
    while KeyAddress.objects.filter(recorded=False).count() < 2 and time.monotonic() < deadline:
        time.sleep(0.05)
    assert record_noted_uses() == 2
    assert AuditEvent.objects.filter(action="key.refused", via="gateway").count() == 1
    assert AuditEvent.objects.filter(action="key.first_used_from", via="gateway").count() == 1


def test_a_client_that_leaves_stops_the_model(wire, deploy, model):
    deploy()
    for text, stream in (("long", True), ("hang", False)):
        model.cancelled.clear()
        body = json.dumps({**CHAT, "messages": [{"role": "user", "content": text}], "stream": stream})
        host, port = wire.address.split(":")
        with socket.create_connection((host, int(port))) as raw:
            raw.sendall(
                f"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {wire.key}\r\n"
                f"Content-Length: {len(body)}\r\n\r\n{body}".encode()
            )
            if stream:
                assert b"200 OK" in raw.recv(1000)
            else:
                time.sleep(0.5)
        assert model.cancelled.wait(2), text


def test_chunks_come_as_they_are_made(wire, deploy):
    deploy()
    connection = http.client.HTTPConnection(wire.address, timeout=20)
    connection.request(
        "POST", "/v1/chat/completions", json.dumps({**CHAT, "stream": True}), {"Authorization": f"Bearer {wire.key}"}
    )
    response = connection.getresponse()
    assert response.headers["content-type"] == "text/event-stream"
    assert response.headers["cache-control"] == "no-cache"
    times, parts = [], []
    while part := response.read1(65536):
        times.append(time.monotonic())
        parts.append(part)
    connection.close()
    assert len(parts) > 4
    assert times[-1] - times[0] > 0.05
    assert b"".join(parts).endswith(b"data: [DONE]\n\n")
    assert all(line.startswith(b"data: ") for line in b"".join(parts).split(b"\n\n") if line)


def test_a_kept_alive_get_has_no_stall(wire, deploy):
    """Without TCP_NODELAY each kept-alive answer would wait 40 ms for an acknowledgement."""
    deploy()
    connection = http.client.HTTPConnection(wire.address, timeout=20)
    taken = []
    for path in ["/healthz", "/v1/models"] * 25:
        started = time.perf_counter()
        connection.request("GET", path, headers={"Authorization": f"Bearer {wire.key}"})
        assert connection.getresponse().read()
        taken.append(time.perf_counter() - started)
    connection.close()
    assert sorted(taken)[len(taken) // 2] < 0.03


def test_only_the_site_may_call_from_a_browser(wire, deploy):
    deploy()
    site = "http://127.0.0.1:8000"
    asked = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "authorization,content-type"}
    response, _ = wire("OPTIONS", "/v1/chat/completions", headers={"Origin": site, **asked}, key=None)
    assert (response.status, response.headers["access-control-allow-origin"]) == (204, site)
    assert response.headers["access-control-allow-headers"] == "authorization,content-type"
    response, _ = wire("POST", "/v1/chat/completions", CHAT, {"Origin": site})
    assert response.headers["access-control-allow-origin"] == site
    response, _ = wire("OPTIONS", "/v1/chat/completions", headers={"Origin": "http://evil.example", **asked}, key=None)
    assert response.headers["access-control-allow-origin"] is None
    # An error can be read by the page too.
    _, headers = wire.error(401, "GET", "/v1/models", headers={"Origin": site}, key=None)
    assert headers["access-control-allow-origin"] == site


def test_the_last_use_of_a_key_is_noted_once_a_minute(wire, people, deploy):
    from accounts.models import ApiKey

    deploy()
    row = ApiKey.objects.get(user=people.alice)
    assert row.last_used_at is None
    wire("GET", "/v1/models")
    for _ in range(50):
        row.refresh_from_db()
        if row.last_used_at:
            break
        time.sleep(0.05)
    first = row.last_used_at
    assert first
    wire("GET", "/v1/models")
    time.sleep(0.3)
    row.refresh_from_db()
    assert row.last_used_at == first


def test_it_goes_on_when_its_connections_to_the_database_die(wire, deploy, superuser_connection):
    deploy()
    assert wire("GET", "/v1/models")[0].status == 200
    ended = superuser_connection.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'countersign_app' AND query LIKE '%WITH key AS%'"
        " AND pid <> pg_backend_pid() AND state = 'idle'"
    ).fetchall()
    assert ended
    for _ in range(3):
        assert wire("POST", "/v1/chat/completions", CHAT)[0].status == 200


def test_health_and_numbers(wire, deploy):
    deploy()
    assert wire("GET", "/healthz", key=None)[1] == b"ok"
    assert wire("GET", "/readyz", key=None)[0].status == 200

    def number(name):
        page = wire("GET", "/metrics", key=None)[1].decode()
        return sum(float(line.split()[-1]) for line in page.splitlines() if line.startswith(name)), page

    before, _ = number('countersign_gateway_tokens_total{kind="completion"}')
    wire("POST", "/v1/chat/completions", CHAT)
    wire("POST", "/v1/chat/completions", {**CHAT, "stream": True, "stream_options": {"include_usage": True}})
    after, page = number('countersign_gateway_tokens_total{kind="completion"}')
    assert after - before == 7
    assert "acme" not in page
    assert 'door="chat",status="200"' in page


def test_a_request_id_of_ones_own(wire):
    response, _ = wire("GET", "/healthz", headers={"X-Request-Id": "my-own-id-123"})
    assert response.headers["x-request-id"] == "my-own-id-123"
    response, _ = wire("GET", "/healthz", headers={"X-Request-Id": "a b"})
    assert response.headers["x-request-id"].startswith("req_")


def test_it_loads_no_django():
    import subprocess
    import sys

    code = "import gateway.asgi, sys; sys.exit(any(name.split('.')[0] == 'django' for name in sys.modules))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
