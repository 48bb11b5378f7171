"""Why users are not let in at an address: the closed list of causes, and the words that tell them.

Belongs here: the causes, and how controllers say them on any platform. What the controllers
of one platform say belongs to its provider. Does not belong here: looking into a cluster.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum


class Cause(StrEnum):
    """`details["cause"]` of a `no-address` error; `docs/network.md` tells what each means."""

    # Of a Gateway, before it comes to a load balancer.
    NO_CLASS = "no-class"
    NO_CONTROLLER = "no-controller"
    GATEWAY_REFUSED = "gateway-refused"
    NO_SERVICE = "no-service"
    # Of the load balancer.
    CONTROLLER_DOWN = "controller-down"
    NOT_SERVED = "not-served"
    SUBNETS = "subnets"
    RIGHTS = "rights"
    QUOTA = "quota"
    ADDRESSES = "addresses"
    POLICY = "policy"
    NO_NODES = "no-nodes"
    NOT_UNDERSTOOD = "not-understood"
    NOT_AS_ASKED = "not-as-asked"
    # Of what stands behind it.
    PROXY_NOT_READY = "proxy-not-ready"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class Trouble:
    """What a controller says, as a regular expression in any case, and what mends it."""

    cause: Cause
    words: str
    mend: str

    def tells(self, text: str) -> bool:
        return re.search(self.words, text, re.IGNORECASE) is not None


# What is said alike on several platforms. The platform's own come before these.
COMMON = (
    Trouble(
        Cause.NO_NODES,
        r"no available nodes|UnAvailableLoadBalancer",
        "add a node, or let one that is there take part: none may have the label "
        "node.kubernetes.io/exclude-from-external-load-balancers",
    ),
    Trouble(
        Cause.CONTROLLER_DOWN,
        r"failed calling webhook|no endpoints available for service",
        "see that the controller whose webhook it is runs",
    ),
    Trouble(
        Cause.QUOTA,
        r"quota|limits? (was |were |is |has been )?(exceeded|reached)|exceed(s|ed)? [^.]*limit",
        "have the limit raised that it names, or remove load balancers that nobody uses",
    ),
    Trouble(
        Cause.RIGHTS,
        r"not authorized|unauthori[sz]ed|forbidden|access ?denied|permission denied"
        r"|PermissionDenied",
        "give the identity that it names the right that it names",
    ),
)


def told_by(texts: Iterable[str], troubles: Iterable[Trouble]) -> tuple[Trouble, str] | None:
    """The first trouble that one of the texts tells, with that text; the newest text first."""
    known = (*troubles, *COMMON)
    for text in reversed(tuple(texts)):
        for trouble in known:
            if trouble.tells(text):
                return trouble, text
    return None
