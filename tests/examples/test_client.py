"""The demo's REST client: it waits for a busy site, streams files whole, and says what the platform said."""

import hashlib
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from examples.demo import client as demo_client
from examples.demo.client import ApiError, Client
from examples.demo.workspace import read_json, write_json


class Handler(BaseHTTPRequestHandler):
    def answer(self, status, body=None):
        payload = json.dumps(body).encode() if body is not None else b""
        self.send_response(status)
        self.send_header("Content-Length", str(len(payload)))
        self.end_headers()
        self.wfile.write(payload)

    def body(self):
        return self.rfile.read(int(self.headers.get("Content-Length") or 0))

    def do_GET(self):
        if self.path == "/missing":
            self.answer(404, {"title": "Not found", "status": 404})
        elif self.path.startswith("/list"):
            second = "cursor=next" in self.path
            self.answer(200, {"results": [{"n": 2 if second else 1}], "next": None if second else "next"})
        else:
            self.answer(200, {"authorization": self.headers.get("Authorization")})

    def do_POST(self):
        self.body()
        self.answer(400, {"title": "Invalid input", "detail": "name: It exists already.", "status": 400})

    def do_PUT(self):
        self.server.puts += 1
        data = self.body()
        self.server.received = (data, dict(self.headers))
        self.answer(503 if self.server.puts < 3 else 200, {})

    def log_message(self, *arguments):
        pass


@pytest.fixture
def server():
    httpd = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    httpd.puts = 0
    thread = threading.Thread(target=httpd.serve_forever)
    thread.start()
    yield httpd
    httpd.shutdown()
    thread.join()
    httpd.server_close()


@pytest.fixture
def api(server, monkeypatch):
    monkeypatch.setattr(demo_client, "_pause", lambda attempt: 0)
    with Client(f"http://127.0.0.1:{server.server_port}/", key="secret") as client:
        yield client


def test_a_key_is_sent_as_bearer(api):
    assert api.get("/") == {"authorization": "Bearer secret"}


def test_a_list_is_read_page_after_page(api):
    assert [row["n"] for row in api.every("/list")] == [1, 2]


def test_what_is_missing_is_none(api):
    assert api.find("/missing") is None


def test_a_refusal_says_what_the_platform_said(api):
    with pytest.raises(ApiError, match=r"POST /things -> 400: name: It exists already\."):
        api.post("/things", {})


def test_an_upload_is_repeated_whole_while_the_site_is_busy(api, server, tmp_path):
    file = tmp_path / "model.safetensors"
    file.write_bytes(bytes(range(256)) * 9000)
    api.upload("/file", file)
    data, headers = server.received
    assert server.puts == 3
    assert data == file.read_bytes()
    assert headers["X-Content-SHA256"] == hashlib.sha256(data).hexdigest()
    assert headers["Content-Length"] == str(len(data))
    assert "Transfer-Encoding" not in headers


def test_a_file_with_secrets_is_written_whole_and_for_its_owner_only(tmp_path):
    path = tmp_path / "demo.json"
    assert read_json(path) == {}
    write_json(path, {"a": 1})
    write_json(path, {"a": 2})
    assert read_json(path) == {"a": 2}
    assert path.stat().st_mode & 0o777 == 0o600
    assert [found.name for found in tmp_path.iterdir()] == ["demo.json"]
