"""A throw-away certificate authority for one sandbox."""

from __future__ import annotations

import ssl

import trustme

LOOPBACK_NAMES = ("127.0.0.1", "localhost")


class Authority:
    """Signs the certificates of every stand-in in a sandbox; its key never leaves the process."""

    def __init__(self) -> None:
        self._authority = trustme.CA()
        self._server_contexts: dict[tuple[tuple[str, ...], bool], ssl.SSLContext] = {}

    @property
    def ca_pem(self) -> bytes:
        """The root certificate, for clients to trust."""
        return self._authority.cert_pem.bytes()

    def client_context(self) -> ssl.SSLContext:
        """A TLS context for a client that trusts this authority alone."""
        return ssl.create_default_context(cadata=self.ca_pem.decode())

    def server_context(self, *hostnames: str, clients: bool = False) -> ssl.SSLContext:
        """The TLS context of servers known by these names or addresses (loopback by default).

        With `clients` they ask for a certificate, which nobody has to show.
        """
        known = (hostnames or LOOPBACK_NAMES, clients)
        if known not in self._server_contexts:
            self._server_contexts[known] = self._server_context(*known)
        return self._server_contexts[known]

    def _server_context(self, hostnames: tuple[str, ...], clients: bool) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        self._authority.issue_cert(*hostnames).configure_cert(context)
        if clients:
            context.verify_mode = ssl.CERT_OPTIONAL
            context.load_verify_locations(cadata=self.ca_pem.decode())
        return context

    def client_certificate(self, name: str, group: str) -> tuple[bytes, bytes]:
        """A certificate by which a client is known, with the group that it is in, and its key."""
        made = self._authority.issue_cert(common_name=name, organization_name=group)
        return made.cert_chain_pems[0].bytes(), made.private_key_pem.bytes()
