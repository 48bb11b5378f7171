"""Tokens that EKS clusters accept: a presigned question to STS, in disguise.

What is checked is what the authenticator in front of an EKS cluster checks:
https://github.com/kubernetes-sigs/aws-iam-authenticator (pkg/token).
"""

from __future__ import annotations

import base64
import binascii
import re
from dataclasses import replace
from datetime import datetime, timedelta
from functools import lru_cache
from urllib.parse import parse_qs, urlsplit

from anyscale_k8s_cli.sandbox.aws.principals import Principal, Principals
from anyscale_k8s_cli.sandbox.aws.seed import dns_suffix
from anyscale_k8s_cli.sandbox.signature import BadSignature, Incoming, Signature, read

PREFIX = "k8s-aws-v1."
CLUSTER_HEADER = "x-k8s-aws-id"
LONGEST = timedelta(minutes=15)
_KEPT = 256
_STS_HOST = re.compile(
    r"sts(?:-fips)?(?:\.(?P<region>[a-z0-9-]+))?\.(?P<suffix>amazonaws\.com(?:\.cn)?)"
)


def verify(
    token: str, cluster_name: str, principals: Principals, now: datetime, local_host: str
) -> Principal:
    """The caller whose token this is; raises :class:`BadSignature` if it is no good here.

    `local_host` is the stand-in's own address, where STS answers in a sandbox.
    """
    _, signature = _question(token, cluster_name, local_host)
    keys = principals.keys(signature.access_key)
    if keys is None or keys.token != signature.token:
        raise BadSignature("unknown key")
    _check(token, cluster_name, local_host, keys.secret)
    # STS takes a signature for its quarter of an hour, whatever end the URL itself gives.
    replace(signature, expires_at=signature.signed_at + LONGEST).check_time(now)
    if keys.expires is not None and now >= keys.expires:
        raise BadSignature("the session is over")
    return keys.principal


# A client shows its token with each request, and what is in it stays the same.
@lru_cache(maxsize=_KEPT)
def _question(token: str, cluster_name: str, local_host: str) -> tuple[Incoming, Signature]:
    url = _decoded(token)
    if not _is_sts(url, local_host):
        raise BadSignature("not a question to STS")
    # The header is no part of the token: the cluster puts its own name in.
    incoming = Incoming("GET", url, {"host": urlsplit(url).netloc, CLUSTER_HEADER: cluster_name})
    signature = read(incoming)
    if signature is None or signature.service != "sts":
        raise BadSignature("not signed for STS")
    if not {"host", CLUSTER_HEADER} <= set(signature.signed_headers):
        raise BadSignature("the cluster's name is not signed")
    if signature.expires_at - signature.signed_at > LONGEST:
        raise BadSignature("made to last too long")
    return incoming, signature


@lru_cache(maxsize=_KEPT)
def _check(token: str, cluster_name: str, local_host: str, secret: str) -> None:
    incoming, signature = _question(token, cluster_name, local_host)
    signature.check(incoming, secret)


def _decoded(token: str) -> str:
    encoded = token.removeprefix(PREFIX)
    if encoded == token:
        raise BadSignature(f"does not begin with {PREFIX}")
    try:
        padding = "=" * (-len(encoded) % 4)
        return base64.urlsafe_b64decode(encoded + padding).decode("ascii")
    except (binascii.Error, UnicodeDecodeError) as error:
        raise BadSignature("not encoded as it should be") from error


def _is_sts(url: str, local_host: str) -> bool:
    parts = urlsplit(url)
    query = {name: values[0] for name, values in parse_qs(parts.query).items()}
    if query.get("Action") != "GetCallerIdentity" or "X-Amz-Expires" not in query:
        return False
    if parts.path not in ("", "/"):
        return False
    if parts.netloc == local_host:
        return True
    match = _STS_HOST.fullmatch(parts.netloc)
    return (
        match is not None
        and parts.scheme == "https"
        and match["suffix"] == dns_suffix(match["region"] or "")
    )
