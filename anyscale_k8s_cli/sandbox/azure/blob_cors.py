"""CORS of blob storage: which rule lets a browser in, and the headers that say so.

https://learn.microsoft.com/rest/api/storageservices/cross-origin-resource-sharing--cors--support-for-the-azure-storage-services
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Any

Rule = Mapping[str, Any]


def matching_rule(
    rules: Sequence[Rule], origin: str, method: str, headers: Iterable[str] = ()
) -> Rule | None:
    """The first rule that admits the origin, the method and all the headers."""
    wanted = [header.strip().lower() for header in headers if header.strip()]
    for rule in rules:
        if (
            any(_same_origin(allowed, origin) for allowed in rule["allowedOrigins"])
            and method in rule["allowedMethods"]
            and all(_any(rule["allowedHeaders"], header) for header in wanted)
        ):
            return rule
    return None


def _same_origin(allowed: str, origin: str) -> bool:
    """Letter by letter; a star stands for every origin, or for every subdomain."""
    return allowed in ("*", origin) or ("//*." in allowed and fnmatchcase(origin, allowed))


def _any(allowed: Iterable[str], header: str) -> bool:
    """A star ends the beginning of a name, or stands alone."""
    return any(fnmatchcase(header, pattern.strip().lower()) for pattern in allowed)


def response_headers(rule: Rule, origin: str, names: Iterable[str] = ()) -> dict[str, str]:
    """What an answer carries when the rule admitted the request; `names` are its headers.

    A star among the exposed headers is replaced by what there is.
    """
    everybody = "*" in rule["allowedOrigins"]
    headers = {"Access-Control-Allow-Origin": "*" if everybody else origin}
    if exposed := list(_exposed(rule["exposedHeaders"], list(names))):
        headers["Access-Control-Expose-Headers"] = ",".join(exposed)
    if not everybody:
        headers |= {"Access-Control-Allow-Credentials": "true", "Vary": "Origin"}
    return headers


def _exposed(patterns: Iterable[str], names: Sequence[str]) -> Iterator[str]:
    for pattern in patterns:
        if pattern.endswith("*"):
            yield from (name for name in names if fnmatchcase(name.lower(), pattern.lower()))
        else:
            yield pattern


def preflight_headers(rule: Rule, origin: str, method: str, headers: str) -> dict[str, str]:
    """What the answer to a browser's question carries."""
    found = response_headers(rule, origin)
    found.pop("Access-Control-Expose-Headers", None)
    found["Access-Control-Allow-Methods"] = method
    if headers:
        found["Access-Control-Allow-Headers"] = headers
    found["Access-Control-Max-Age"] = str(rule["maxAgeInSeconds"])
    return found
