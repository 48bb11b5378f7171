"""Who has an identity of pods: the operator, and Ray's pods where they have one of their own.

The same on every platform: what their service accounts are called, and by what the names of
their identities are told apart. What such an identity may do is the platform's.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Holder:
    """`account` is a service account in the operator's namespace, `what` a word for people."""

    account: str
    what: str

    def subject(self, namespace: str) -> str:
        """How a cluster's issuer names the account."""
        return f"system:serviceaccount:{namespace}:{self.account}"

    def named(self, thing: str) -> str:
        """The key in `rules.names` of an identity, of what a platform calls a `thing`."""
        return thing if self is OPERATOR else f"workload-{thing}"

    def past(self, thing: str, found: str) -> str:
        """What leads past an identity of somebody else's that has the name of ours.

        No option names one that Ray's pods are to use instead.
        """
        renamed = f"set rules.names.{self.named(thing)} to another name"
        return f"{renamed}, or adopt it with --identity {found}" if self is OPERATOR else renamed


OPERATOR = Holder("anyscale-operator", "operator")
WORKLOADS = Holder("anyscale-workloads", "workloads")
HOLDERS = (OPERATOR, WORKLOADS)
