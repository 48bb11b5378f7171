"""CORS of buckets: which rule lets a browser in, and the headers that say so."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from anyscale_k8s_cli.sandbox.aws.policy import as_list, like


def matching_rule(
    rules: Iterable[Any], origin: str, method: str, headers: Iterable[str] = ()
) -> Any | None:
    """The first of moto's rules that admits the origin, the method and all the headers."""
    for rule in rules:
        if (
            any(like(pattern, origin) for pattern in as_list(rule.allowed_origins))
            and method in as_list(rule.allowed_methods)
            and all(_header_allowed(rule, header) for header in headers)
        ):
            return rule
    return None


def _header_allowed(rule: Any, header: str) -> bool:
    patterns = as_list(rule.allowed_headers or [])
    return any(like(pattern, header.strip(), ignore_case=True) for pattern in patterns)


def response_headers(rule: Any, origin: str) -> dict[str, str]:
    """What an answer carries when the rule admitted the request."""
    everybody = "*" in as_list(rule.allowed_origins)
    headers = {
        "Access-Control-Allow-Origin": "*" if everybody else origin,
        "Access-Control-Allow-Methods": ", ".join(as_list(rule.allowed_methods)),
        "Vary": "Origin, Access-Control-Request-Headers, Access-Control-Request-Method",
    }
    if not everybody:
        headers["Access-Control-Allow-Credentials"] = "true"
    if rule.exposed_headers:
        headers["Access-Control-Expose-Headers"] = ", ".join(as_list(rule.exposed_headers))
    if rule.max_age_seconds:
        headers["Access-Control-Max-Age"] = str(as_list(rule.max_age_seconds)[0])
    return headers
