"""A receiver of webhooks on this machine, and the tail of the ledger without waiting for commits."""

import ipaddress
import json
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import SimpleNamespace

import pytest
from django.db.models import Q

from accounts.access import Actor
from governance.ledger import commits
from governance.ledger.models import AuditEvent
from notifications import actions, deliveries, tail


class Receiver:
    """Keeps what it is sent and answers as it is told: `answers` is a list of (status, headers, body), the last repeats."""

    def __init__(self):
        self.got, self.answers, self.slow_s = [], [(204, {}, b"")], 0.0
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                receiver.got.append(
                    SimpleNamespace(path=self.path, headers=dict(self.headers), body=body, at=time.time())
                )
                time.sleep(receiver.slow_s)
                status, headers, text = receiver.answers[0] if len(receiver.answers) == 1 else receiver.answers.pop(0)
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(text)))
                self.end_headers()
                self.wfile.write(text)

            def log_message(self, *args):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.server.handle_error = lambda *args: None  # whoever asked has gone
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server.server_port}/hooks"

    def messages(self):
        return [json.loads(one.body) for one in self.got]

    def close(self):
        self.server.shutdown()
        self.server.server_close()


@pytest.fixture
def inner(settings):
    """This machine counts as a network that the operator allows."""
    settings.WEBHOOK_ALLOWED_NETWORKS = [ipaddress.ip_network("127.0.0.0/8")]
    settings.WEBHOOK_ALLOW_HTTP = True


@pytest.fixture
def new_receiver(inner):
    made = []

    def make():
        made.append(Receiver())
        return made[-1]

    yield make
    for receiver in made:
        receiver.close()


@pytest.fixture
def receiver(new_receiver):
    return new_receiver()


def without_horizon(position, limit):
    """`committed_after` for tests that roll back: their one transaction counts as committed."""
    later = Q(xid=position.xid, id__gt=position.id) | Q(xid__gt=position.xid)
    return list(AuditEvent.objects.filter(later).order_by("xid", "id")[:limit])


@pytest.fixture
def follow(monkeypatch, db):
    """follow() takes in what the ledger has got."""
    monkeypatch.setattr(commits, "committed_after", without_horizon)
    return tail.follow


@pytest.fixture
def webhook(cast, receiver, follow):
    """A webhook of acme to the receiver; `.secret` beside it. What came before it is behind us."""
    made, secret = actions.create_webhook(team=cast.team, url=receiver.url, events=["*"], by=Actor(cast.admin))
    follow()
    made.plain_secret = secret
    return made


@pytest.fixture
def pump(follow):
    """pump() follows the ledger and delivers."""

    def run():
        follow()
        return deliveries.deliver()

    return run


@pytest.fixture
def asked(cast):
    """asked() -> an open request of Alice's about production, by governance's own action."""
    from governance import actions as governance_actions
    from governance.moves import Move

    def make(number=2, *, by=None, reason="better"):
        move = Move(
            team=cast.team,
            kind="model",
            asset_id=1,
            asset_label="acme/date-normaliser",
            version_id=number,
            version_number=number,
            digest=f"sha256:{number:064x}",
            slot="production",
            author_ids=[cast.alice.pk],
            previous=None,
        )
        return governance_actions.open_request(move=move, reason=reason, by=Actor(by or cast.alice))

    return make
