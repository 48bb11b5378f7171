"""The HTTP server around the application: loopback, a free port, a thread per connection."""

from __future__ import annotations

import socket
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from moto.moto_server.werkzeug_app import MotoRequestHandler
from werkzeug.serving import ThreadedWSGIServer
from werkzeug.test import run_wsgi_app

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication


class QuietHandler(MotoRequestHandler):
    """Writes nothing: requests are in the wire's record."""

    # What is said is sent at once, and as a whole: head and body together.
    disable_nagle_algorithm = True
    wbufsize = -1

    def run_wsgi(self) -> None:
        """Answer and keep the connection, as AWS does.

        werkzeug closes each, since it cannot know that a request was read to its end. Here
        the application has read all of it before it answers, whatever the answer.
        """
        body, status, headers = run_wsgi_app(self.server.app, self.make_environ(), buffered=True)
        code, _, reason = status.partition(" ")
        self.send_response(int(code), reason)
        for name, value in headers:
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(b"".join(body))

    def handle_expect_100(self) -> bool:
        """Let the body come, for which the client waits."""
        going_on = super().handle_expect_100()
        self.wfile.flush()
        return going_on

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """Dropped."""

    def log(self, type: str, message: str, *args: Any) -> None:
        """Dropped."""


class Server(ThreadedWSGIServer):
    """Closing it also closes the connections that clients keep."""

    def __init__(self, application: WSGIApplication) -> None:
        self._kept: set[socket.socket] = set()
        super().__init__("127.0.0.1", 0, application, QuietHandler)

    def process_request(self, request: Any, client_address: Any) -> None:
        self._kept.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        self._kept.discard(request)
        super().shutdown_request(request)

    def server_close(self) -> None:
        super().server_close()
        for connection in tuple(self._kept):
            # Its client may have closed it at this moment.
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
