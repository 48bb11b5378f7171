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
from urllib.parse import parse_qs, urlsplit

from anyscale_k8s_cli.sandbox.aws.principals import Principal, Principals
from anyscale_k8s_cli.sandbox.aws.seed import dns_suffix
from anyscale_k8s_cli.sandbox.aws.signature import BadSignature, Incoming, read

PREFIX = "k8s-aws-v1."
CLUSTER_HEADER = "x-k8s-aws-id"
LONGEST = timedelta(minutes=15)
_STS_HOST = re.compile(r"sts(?:-fips)?(?:\.(?P<region>[a-z0-9-]+))?\.(?P<suffix>amazonaws\.com(?:\.cn)?)")


def verify(
    token: str, cluster_name: str, principals: Principals, now: datetime, local_host: str
) -> Principal | None:
    """The caller whose token this is; None if the token is not good for the cluster.

    `local_host` is the stand-in's own address, where STS answers in a sandbox.
    """
    url = _decoded(token)
    if url is None or not _is_sts(url, local_host):
        return None
    query = {name: values[0] for name, values in parse_qs(urlsplit(url).query).items()}
    if query.get("Action") != "GetCallerIdentity" or "X-Amz-Expires" not in query:
        return None
    incoming = Incoming("GET", url, {"host": urlsplit(url).netloc, CLUSTER_HEADER: cluster_name})
    try:
        signature = read(incoming)
    except BadSignature:
        return None
    if (
        signature is None
        or signature.signed_at is None
        or signature.expires_at is None
        or signature.service != "sts"
        or not {"host", CLUSTER_HEADER} <= set(signature.signed_headers)
        or signature.expires_at - signature.signed_at > LONGEST
    ):
        return None
    keys = principals.keys(signature.access_key)
    if keys is None or keys.token != signature.token:
        return None
    # STS takes a signature for its quarter of an hour, whatever end the URL itself gives.
    lasting = replace(signature, expires_at=signature.signed_at + LONGEST)
    try:
        lasting.verify(incoming, keys.secret, now)
    except BadSignature:
        return None
    over = keys.expires is not None and now >= keys.expires
    return None if over else keys.principal


def _decoded(token: str) -> str | None:
    if not token.startswith(PREFIX):
        return None
    encoded = token.removeprefix(PREFIX)
    try:
        padding = "=" * (-len(encoded) % 4)
        return base64.urlsafe_b64decode(encoded + padding).decode("ascii")
    except (binascii.Error, UnicodeDecodeError):
        return None


def _is_sts(url: str, local_host: str) -> bool:
    parts = urlsplit(url)
    if parts.netloc == local_host:
        return parts.path in ("", "/")
    match = _STS_HOST.fullmatch(parts.netloc)
    if match is None or parts.scheme != "https" or parts.path not in ("", "/"):
        return False
    return match["suffix"] == dns_suffix(match["region"] or "")
