"""The rules by which browsers may use the blobs of an account, leaving other people's in place."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

from anyscale_k8s_cli import errors
from anyscale_k8s_cli.providers.azureblob import codes
from anyscale_k8s_cli.templates import load_json

# https://learn.microsoft.com/rest/api/storageservices/cross-origin-resource-sharing--cors--support-for-the-azure-storage-services
MOST_RULES = 5


@dataclass(frozen=True)
class CorsRule:
    """Which browsers' pages may use blobs, and how."""

    origins: Sequence[str]
    methods: Sequence[str]
    headers: Sequence[str]
    exposed: Sequence[str]
    seconds: int


def rule(origin: str) -> CorsRule:
    """The rule that lets the console read and write from a browser."""
    found = load_json("azureblob/cors-rule.json", {"origin": origin})
    return CorsRule(
        tuple(found["allowedOrigins"]),
        tuple(found["allowedMethods"]),
        tuple(found["allowedHeaders"]),
        tuple(found["exposedHeaders"]),
        found["maxAgeInSeconds"],
    )


def with_ours(rules: Sequence[CorsRule], origin: str, account: str) -> list[CorsRule]:
    """The rules that are there, and ours. Raises `azure-cors-full`."""
    if has_ours(rules, origin):
        return list(rules)
    if len(rules) >= MOST_RULES:
        raise errors.CliError(
            codes.CORS_FULL,
            f"The storage account {account} has no room for another CORS rule",
            cause=f"it has {len(rules)}, and Azure takes {MOST_RULES} at most",
            fix="take one away that nobody needs (`az storage cors clear` removes all of them)\n"
            "then run the same command again",
        )
    return [*rules, rule(origin)]


def has_ours(rules: Sequence[CorsRule], origin: str) -> bool:
    """Whether our rule is among them, however its lists are ordered."""
    return _canonical(rule(origin)) in map(_canonical, rules)


def admits(rules: Sequence[CorsRule], origin: str) -> bool:
    """Whether the rules let a console of this origin use all methods."""

    def covers(found: CorsRule, method: str) -> bool:
        return method in found.methods and any(
            fnmatchcase(origin, pattern) or fnmatchcase(pattern, origin)
            for pattern in found.origins
        )

    needed = rule(origin).methods
    return all(any(covers(found, method) for found in rules) for method in needed)


def _canonical(found: CorsRule) -> tuple[object, ...]:
    lists = (found.origins, found.methods, found.headers, found.exposed)
    return (*(tuple(sorted(entry.lower() for entry in one)) for one in lists), found.seconds)
