"""A text generator that speaks the OpenAI protocol, as a process of its own that a test can stop.

Run as ``python -m tests.support.text_generator PORT``; every text is ``Once upon a time.``
"""

from __future__ import annotations

import json
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Final

_WORDS: Final = ("Once ", "upon ", "a ", "time.")


class _Handler(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["content-length"]))
        self.send_response(200)
        self.send_header("content-type", "text/event-stream")
        self.end_headers()
        for word in _WORDS:
            choice = {"index": 0, "delta": {"content": word}}
            self.wfile.write(b"data: " + json.dumps({"choices": [choice]}).encode() + b"\n\n")
        self.wfile.write(b"data: [DONE]\n\n")


if __name__ == "__main__":
    ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), _Handler).serve_forever()
