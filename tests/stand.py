"""A small server that speaks the OpenAI protocol in a model's place; what it says is for those who inherit."""

import json
import threading
import time
from collections import Counter
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Stand(ThreadingHTTPServer):
    """`bodies`, `asked` (by text), `paths`: what came. `fail`: (status, how often) by text; `delay_s` before an answer; `broken`:
    connections that clients cut."""

    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Exchange)
        self.bodies, self.asked, self.paths = [], Counter(), Counter()
        self.fail, self.delay_s, self.broken = {}, 0.0, 0

    def respond(self, exchange, body, text):
        """Answer by exchange.send_json, or by exchange.stream."""
        raise AssertionError("Say what this one answers.")

    def handle_error(self, request, client_address):
        self.broken += 1

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_port}/target"


class Exchange(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        stand = self.server
        text = body["prompt"] if "prompt" in body else body["messages"][-1]["content"] if "messages" in body else ""
        stand.bodies.append(body)
        stand.asked[text] += 1
        stand.paths[self.path] += 1
        status, left = stand.fail.get(text, (200, 0))
        if left > 0:
            time.sleep(stand.delay_s)
            stand.fail[text] = (status, left - 1)
            return self.send_json(status, {"error": {"message": f"no luck with {text}", "param": "messages"}})
        stand.respond(self, body, text)

    def send_json(self, status, value):
        content = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def stream(self, values):
        """Server-sent events, one for each value, and the end."""
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        for value in values:
            self._chunk(b"data: " + json.dumps(value).encode() + b"\n\n")
        self._chunk(b"data: [DONE]\n\n")
        self._chunk(b"")

    def _chunk(self, content):
        self.wfile.write(b"%x\r\n%s\r\n" % (len(content), content))
        self.wfile.flush()

    def log_message(self, *args):
        pass


@contextmanager
def serving(stand):
    thread = threading.Thread(target=stand.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield stand
    stand.shutdown()
    stand.server_close()
    thread.join()
