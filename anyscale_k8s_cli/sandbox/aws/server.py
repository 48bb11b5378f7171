"""The HTTP server around the application: loopback, a free port, a thread per request."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from moto.moto_server.werkzeug_app import MotoRequestHandler
from werkzeug.serving import BaseWSGIServer
from werkzeug.serving import make_server as make_werkzeug_server

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication


class QuietHandler(MotoRequestHandler):
    """Writes nothing: requests are in the wire's record."""

    def log(self, type: str, message: str, *args: Any) -> None:
        """Dropped."""

    def connection_dropped(self, *_: Any) -> None:
        """End the connection: werkzeug would keep it open for a next request."""
        self.close_connection = True


def make_server(application: WSGIApplication) -> BaseWSGIServer:
    return make_werkzeug_server(
        "127.0.0.1", 0, application, threaded=True, request_handler=QuietHandler
    )
