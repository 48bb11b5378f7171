"""The checks of clusters that prove themselves, by name; no SDK is imported here."""

from __future__ import annotations

from anyscale_k8s_cli.checks import ANY_TIME, Check, Need
from anyscale_k8s_cli.providers.federation import codes

ISSUER_NOT_PUBLIC = Check(
    "issuer-not-public",
    "The issuer of the cluster's tokens can be read by the cloud that is to trust it",
    ANY_TIME,
    frozenset({Need.CLUSTER}),
    error=codes.ISSUER_NOT_PUBLIC,
)

CHECKS = (ISSUER_NOT_PUBLIC,)
