"""A DNS server on loopback that knows the names of load balancers, and no others."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable, Iterable, Mapping

import dns.exception
import dns.flags
import dns.message
import dns.rcode
import dns.rdatatype
import dns.rrset

_HOST = "127.0.0.1"
_SECONDS = 30


class DnsStandIn:
    """`names` gives what there is now: names with their addresses (IPv4). Others do not exist."""

    def __init__(self, names: Callable[[], Mapping[str, str]]) -> None:
        self._names = names
        self._transport: asyncio.DatagramTransport | None = None

    @property
    def address(self) -> str:
        """`HOST:PORT`, once it is started."""
        assert self._transport is not None, "it is started"  # noqa: S101
        host, port = self._transport.get_extra_info("sockname")
        return f"{host}:{port}"

    async def start(self) -> None:
        loop = asyncio.get_running_loop()
        self._transport, _ = await loop.create_datagram_endpoint(
            lambda: _Server(self._names), local_addr=(_HOST, 0)
        )

    async def stop(self) -> None:
        """Safe to repeat."""
        if self._transport is not None:
            self._transport.close()


class _Server(asyncio.DatagramProtocol):
    def __init__(self, names: Callable[[], Mapping[str, str]]) -> None:
        self._names = names
        self._transport: asyncio.DatagramTransport | None = None

    def connection_made(self, transport: asyncio.DatagramTransport) -> None:  # type: ignore[override]
        self._transport = transport

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        try:
            question = dns.message.from_wire(data)
        except dns.exception.DNSException:
            return  # nobody is answered who did not ask
        if self._transport is not None and question.question:
            self._transport.sendto(self._answer(question).to_wire(), addr)

    def _answer(self, question: dns.message.Message) -> dns.message.Message:
        answer = dns.message.make_response(question)
        answer.flags |= dns.flags.AA | dns.flags.RA
        asked = question.question[0]
        known = {name.lower(): address for name, address in self._names().items()}
        address = known.get(asked.name.to_text(omit_final_dot=True).lower())
        if address is None:
            answer.set_rcode(dns.rcode.NXDOMAIN)
        elif asked.rdtype == dns.rdatatype.A:
            answer.answer.append(dns.rrset.from_text(asked.name, _SECONDS, "IN", "A", address))
        return answer


def of_load_balancers(names: Iterable[str]) -> dict[str, str]:
    """An address for each: always the same for a name, and nobody's (TEST-NET-2)."""
    return {name: f"198.51.100.{hashlib.sha256(name.encode()).digest()[0]}" for name in names}
