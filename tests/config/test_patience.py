"""Slow clients hold nobody up: threads that wait for the network are not at work, and hold no connection to the database."""

import socket
import threading

import pytest
from django.db import connection, transaction

from config.patience import Patient, end_dead_connections
from registry.downloads import file_response

PATIENCE_S = 10


class Slow:
    """A body that comes when it is let."""

    def __init__(self, seen=None):
        self.asked, self.here, self.seen = threading.Event(), threading.Event(), seen

    def read(self, size=-1):
        self.asked.set()
        if self.seen is not None:
            self.seen.append(connection.connection is not None)
            return b""
        assert self.here.wait(PATIENCE_S)
        return b"late"


def reading(environ, start_response):
    return [environ["wsgi.input"].read() if "wsgi.input" in environ else b"at once"]


def test_a_body_that_does_not_come_holds_nobody_up():
    site, body, answers = Patient(reading, at_work=1), Slow(), []
    environ = {"CONTENT_LENGTH": "4", "wsgi.input": body}
    waiting = threading.Thread(target=lambda: answers.extend(site(environ, None)), daemon=True)
    waiting.start()
    assert body.asked.wait(PATIENCE_S)
    others = threading.Thread(target=lambda: answers.extend(site({}, None)), daemon=True)
    others.start()
    others.join(PATIENCE_S)
    assert answers == [b"at once"]
    body.here.set()
    waiting.join(PATIENCE_S)
    assert answers == [b"at once", b"late"]


def test_an_answer_that_nobody_takes_holds_nobody_up():
    site = Patient(lambda environ, start_response: iter([b"first", b"second"]), at_work=1)
    first, second = iter(site({}, None)), iter(site({}, None))
    assert (next(first), next(second)) == (b"first", b"first")


def test_what_begins_with_the_first_request_begins_once():
    begun = []
    site = Patient(reading, begin=lambda: begun.append(True))
    assert [site({}, None), site({}, None)] == [[b"at once"]] * 2
    assert begun == [True]


def test_a_turn_comes_back_when_the_application_fails():
    def failing(environ, start_response):
        raise ValueError

    site = Patient(failing, at_work=1)
    for _ in range(3):
        with pytest.raises(ValueError):
            site({"CONTENT_LENGTH": "4", "wsgi.input": Slow()}, None)


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("inside", [False, True])
def test_who_waits_for_a_body_holds_a_connection_in_a_transaction_alone(inside):
    seen = []

    def asking(environ, start_response):
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
        if inside:
            with transaction.atomic():
                return reading(environ, start_response)
        return reading(environ, start_response)

    Patient(asking, at_work=1)({"CONTENT_LENGTH": "4", "wsgi.input": Slow(seen)}, None)
    assert seen == [inside]


@pytest.mark.django_db(transaction=True)
def test_who_takes_a_file_holds_no_connection(rf, settings, tmp_path):
    settings.STORAGE = tmp_path / "storage"
    sha256 = "ab" * 32
    place = tmp_path / "storage" / "blobs" / "ab" / sha256
    place.parent.mkdir(parents=True)
    place.write_bytes(b"bytes")

    def sending(environ, start_response):
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
        return file_response(rf.get("/"), sha256=sha256, size=5, path="a.bin")

    answer = Patient(sending, at_work=1)({}, None)
    assert connection.connection is None
    assert b"".join(answer) == b"bytes"
    answer.close()


def test_accepted_connections_end_when_nobody_is_there_any_more():
    with socket.create_server(("127.0.0.1", 0)) as server:
        end_dead_connections()
        with socket.create_connection(server.getsockname()):
            accepted, _ = server.accept()
            with accepted:
                assert accepted.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
                assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE) == 30
                assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT) == 60_000
