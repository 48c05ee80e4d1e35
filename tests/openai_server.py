"""A real OpenAI-compatible HTTP server on loopback, for tests: it checks what it is sent and answers by script.

`with OpenAIServer(["The sky is blue [1]."]) as server: …` serves `server.url` (ending in /v1). Each request takes the
next reply of the script (the last one stays). A request whose form is wrong is answered with 400 and noted in
`server.problems`; what was sent stands in `server.requests`.
"""

from __future__ import annotations

import base64
import json
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import BytesIO
from typing import Any

from PIL import Image

from tests.patience import LONG

KEY = "sk-the-right-key"
MODEL = "scripted"


@dataclass(frozen=True)
class Reply:
    """One scripted answer. `wait` is waited for (at most LONG) before anything is sent."""

    text: str = ""
    status: int = 200
    error: str = ""
    code: str = ""
    pieces: Sequence[str] = ()
    wait: threading.Event | None = None
    raw: str | None = None
    break_off: bool = False
    usage: bool = True


@dataclass(frozen=True)
class Request:
    """What one call sent: the parsed body, its texts joined, its pictures decoded, its URLs."""

    body: dict[str, Any]
    system: str
    text: str
    images: list[Image.Image] = field(default_factory=list)
    urls: list[str] = field(default_factory=list)


class _QuietServer(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_: object) -> None:
        """A client that hangs up is no failure of a test."""


class OpenAIServer:
    """See the module. `bound` is the longest side, in pixels, that a picture may have."""

    def __init__(self, script: Sequence[str | Reply], *, bound: int = 1024, key: str = KEY) -> None:
        self.script = [Reply(item) if isinstance(item, str) else item for item in script]
        self.bound, self.key = bound, key
        self.requests: list[Request] = []
        self.calls = 0
        self.keys: list[str] = []
        self.problems: list[str] = []
        self.arrived = threading.Event()
        self._http = _QuietServer(("127.0.0.1", 0), _handler(self))
        self.url = f"http://127.0.0.1:{self._http.server_port}/v1"

    def __enter__(self) -> OpenAIServer:
        threading.Thread(target=self._http.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        for reply in self.script:
            if reply.wait:
                reply.wait.set()
        self._http.shutdown()
        self._http.server_close()

    def next_reply(self) -> Reply:
        """The reply to this call."""
        self.calls += 1
        return self.script[min(self.calls, len(self.script)) - 1]

    def read(self, body: dict[str, Any]) -> Request:
        """Check the form of a chat request; ValueError tells what is wrong with it."""
        _expect(body.get("model") == MODEL, f"model {body.get('model')!r}")
        messages = body.get("messages")
        _expect(isinstance(messages, list) and len(messages) == 2, "not two messages")
        system, user = messages
        _expect(system["role"] == "system" and isinstance(system["content"], str), "the first is not the system's text")
        _expect(user["role"] == "user", "the second is not the user's")
        parts = user["content"]
        if isinstance(parts, str):
            return Request(body, system["content"], parts)
        request = Request(body, system["content"], "".join(p["text"] for p in parts if p["type"] == "text"))
        for part in parts:
            _expect(part["type"] in ("text", "image_url"), f"a part of type {part['type']!r}")
            if part["type"] == "image_url":
                self._read_image(part["image_url"]["url"], request)
        return request

    def _read_image(self, url: str, request: Request) -> None:
        request.urls.append(url)
        if url.startswith("http"):
            return
        head, _, data = url.partition(",")
        _expect(head in ("data:image/png;base64", "data:image/jpeg;base64"), f"picture as {head!r}")
        image = Image.open(BytesIO(base64.b64decode(data, validate=True)))
        image.load()
        _expect(max(image.size) <= self.bound, f"picture of {image.size}")
        _expect(head == f"data:{Image.MIME[image.format or '']};base64", f"{image.format} sent as {head}")
        request.images.append(image)


def _expect(holds: bool, problem: str) -> None:
    if not holds:
        raise ValueError(problem)


def _handler(server: OpenAIServer) -> Callable[..., BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_: object) -> None:
            pass

        def do_GET(self) -> None:
            if self.path == "/v1/models":
                self._json(200, {"object": "list", "data": [{"id": MODEL, "object": "model"}]})
            else:
                self._error(404, f"no route {self.path}")

        def do_POST(self) -> None:
            raw = self.rfile.read(int(self.headers["Content-Length"]))
            if self.path != "/v1/chat/completions":
                return self._error(404, f"no route {self.path}")
            key = self.headers.get("Authorization", "").removeprefix("Bearer ")
            server.keys.append(key)
            if key != server.key:
                return self._error(401, f"Incorrect API key provided: {key}", "invalid_api_key")
            body = json.loads(raw)
            if body.get("model") != MODEL:
                return self._error(404, f"The model `{body.get('model')}` does not exist", "model_not_found")
            try:
                request = server.read(body)
            except (ValueError, KeyError, TypeError, OSError) as exc:
                server.problems.append(str(exc))
                return self._error(400, f"bad request: {exc}")
            server.requests.append(request)
            return self._reply(server.next_reply(), body)

        def _reply(self, reply: Reply, body: dict[str, Any]) -> None:
            server.arrived.set()
            if reply.wait and not reply.wait.wait(LONG):
                return self._error(500, "nobody ended the wait")
            if reply.status != 200:
                return self._error(reply.status, reply.error, reply.code)
            if reply.raw is not None:
                return self._send(200, "text/html", reply.raw.encode())
            return self._stream(reply, body) if body.get("stream") else self._whole(reply)

        def _whole(self, reply: Reply) -> None:
            text = reply.text or "".join(reply.pieces)
            message = {"role": "assistant", "content": text}
            answer = {"id": "1", "object": "chat.completion", "created": 1, "model": MODEL}
            answer["choices"] = [{"index": 0, "message": message, "finish_reason": "stop"}]
            if reply.usage:
                answer["usage"] = _USAGE
            self._json(200, answer)

        def _stream(self, reply: Reply, body: dict[str, Any]) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "text/event-stream")
            self.send_header("Connection", "close")
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            self.close_connection = True
            for piece in reply.pieces or [reply.text]:
                self._event({"choices": [{"index": 0, "delta": {"role": "assistant", "content": piece}}]})
            if reply.break_off:
                return
            self._event({"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]})
            if reply.usage and (body.get("stream_options") or {}).get("include_usage"):
                self._event({"choices": [], "usage": _USAGE})
            self._chunk(b"data: [DONE]\n\n")
            self._chunk(b"")

        def _event(self, event: dict[str, Any]) -> None:
            full = {"id": "1", "object": "chat.completion.chunk", "created": 1, "model": MODEL, **event}
            self._chunk(f"data: {json.dumps(full)}\n\n".encode())

        def _chunk(self, data: bytes) -> None:
            self.wfile.write(f"{len(data):x}\r\n".encode() + data + b"\r\n")
            self.wfile.flush()

        def _error(self, status: int, message: str, code: str = "") -> None:
            self._json(status, {"error": {"message": message, "type": "error", "code": code or None}})

        def _json(self, status: int, value: dict[str, Any]) -> None:
            self._send(status, "application/json", json.dumps(value).encode())

        def _send(self, status: int, kind: str, data: bytes) -> None:
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

    return Handler


_USAGE = {"prompt_tokens": 11, "completion_tokens": 7, "total_tokens": 18}
