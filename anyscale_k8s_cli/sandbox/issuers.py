"""The address at which a cluster's issuer is published, and how clouds read such an address.

It answers from a thread of its own: whoever asks may hold the loop that all else runs on.
"""

from __future__ import annotations

import json
import ssl
import threading
import urllib.request
from collections.abc import Mapping
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.error import URLError
from urllib.parse import urlsplit

from anyscale_k8s_cli.sandbox.tls import Authority

CONFIGURATION = "/.well-known/openid-configuration"
KEYS = "/openid/v1/jwks"
_HOST = "127.0.0.1"
# Seconds: everything is on this machine.
_PATIENCE = 5.0
_POLL = 0.05

Documents = dict[str, bytes]


class PublishedIssuer:
    """Serves two documents by https, until stopped. `url` is known at once."""

    def __init__(self, authority: Authority) -> None:
        self._documents: Documents = {}
        self._server = ThreadingHTTPServer((_HOST, 0), partial(_Handler, self._documents))
        self._server.socket = authority.server_context().wrap_socket(
            self._server.socket, server_side=True
        )
        self._thread: threading.Thread | None = None

    @property
    def url(self) -> str:
        return f"https://{_HOST}:{self._server.server_address[1]}"

    def start(self, keys: Mapping[str, Any]) -> None:
        """Publish an issuer with these keys."""
        told = {
            "issuer": self.url,
            "jwks_uri": self.url + KEYS,
            "response_types_supported": ["id_token"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ["RS256"],
        }
        self._documents.update(
            {CONFIGURATION: json.dumps(told).encode(), KEYS: json.dumps(keys).encode()}
        )
        self._thread = threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": _POLL}, daemon=True
        )
        self._thread.start()

    def stop(self) -> None:
        """Safe to repeat, and without a start."""
        if self._thread is not None:
            self._server.shutdown()
            self._thread.join()
            self._thread = None
        self._server.server_close()


class _Handler(BaseHTTPRequestHandler):
    def __init__(self, documents: Documents, *arguments: Any) -> None:
        self._documents = documents
        super().__init__(*arguments)

    def do_GET(self) -> None:
        body = self._documents.get(urlsplit(self.path).path)
        self.send_response(404 if body is None else 200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body or b"")))
        self.end_headers()
        self.wfile.write(body or b"")

    def log_message(self, format: str, *args: Any) -> None:
        """Nobody reads it."""


def published_keys(issuer: str, trusted: ssl.SSLContext) -> Mapping[str, Any] | None:
    """The keys of an issuer, as a cloud finds them; None where they cannot be read."""
    parts = urlsplit(issuer)
    # A sandbox reads nothing beyond this machine.
    if parts.scheme != "https" or parts.hostname != _HOST:
        return None
    told = _read(issuer.rstrip("/") + CONFIGURATION, trusted)
    if told is None or told.get("issuer") != issuer:
        return None
    return _read(str(told.get("jwks_uri", "")), trusted)


def _read(url: str, trusted: ssl.SSLContext) -> Mapping[str, Any] | None:
    opener = urllib.request.build_opener(
        urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=trusted)
    )
    try:
        with opener.open(url, timeout=_PATIENCE) as answer:
            found = json.loads(answer.read())
    except (URLError, OSError, ValueError):
        return None
    return found if isinstance(found, dict) else None
