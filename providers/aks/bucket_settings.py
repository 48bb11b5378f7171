"""What our storage account is set to, leaving other people's tags and rules in place."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase

from anyscale_k8s_cli import errors
from anyscale_k8s_cli.providers.aks import codes
from anyscale_k8s_cli.providers.aks.sdk.storage import TLS, CorsRule, Settings
from anyscale_k8s_cli.resource import FieldChange, differences, with_pairs
from anyscale_k8s_cli.templates import load_json

# https://learn.microsoft.com/rest/api/storageservices/cross-origin-resource-sharing--cors--support-for-the-azure-storage-services
MOST_RULES = 5


@dataclass(frozen=True)
class BucketWishes:
    """`shared_key` is whether the account's keys may be used beside Entra's tokens."""

    tags: Mapping[str, str]
    console_origin: str
    shared_key: bool
    dropped_tags: Mapping[str, str] = field(default_factory=dict)


def cors_rule(origin: str) -> CorsRule:
    """The rule that lets the console read and write from a browser."""
    rule = load_json("aks/cors-rule.json", {"origin": origin})
    return CorsRule(
        tuple(rule["allowedOrigins"]),
        tuple(rule["allowedMethods"]),
        tuple(rule["allowedHeaders"]),
        tuple(rule["exposedHeaders"]),
        rule["maxAgeInSeconds"],
    )


def wanted(found: Settings, wishes: BucketWishes) -> Settings:
    """The settings that are there, with ours in them."""
    return replace(
        found,
        tags=with_pairs(found.tags, wishes.tags, wishes.dropped_tags),
        https_only=True,
        tls=TLS,
        public_access=False,
        shared_key=wishes.shared_key,
    )


def changes(found: Settings, wishes: BucketWishes) -> list[FieldChange]:
    """How the settings differ from what they should be."""
    new = wanted(found, wishes)
    pairs = (
        ("HTTPS only", found.https_only, new.https_only),
        ("least version of TLS", found.tls, new.tls),
        ("public access", found.public_access, new.public_access),
        ("shared key access", found.shared_key, new.shared_key),
    )
    return differences("tag", found.tags, wishes.tags, wishes.dropped_tags) + [
        FieldChange(name, old, value) for name, old, value in pairs if old != value
    ]


def with_ours(rules: Sequence[CorsRule], origin: str, account: str) -> list[CorsRule]:
    """The rules that are there, and ours. Raises `azure-cors-full`."""
    if has_ours(rules, origin):
        return list(rules)
    if len(rules) >= MOST_RULES:
        raise errors.CliError(
            codes.CORS_FULL,
            f"The storage account {account} has no room for another CORS rule",
            cause=f"it has {len(rules)}, and Azure takes {MOST_RULES} at most",
            fix="take one away that nobody needs: az storage cors clear removes all of them; "
            "then run the same command again",
        )
    return [*rules, cors_rule(origin)]


def has_ours(rules: Sequence[CorsRule], origin: str) -> bool:
    """Whether our rule is among them, however its lists are ordered."""
    return _canonical(cors_rule(origin)) in map(_canonical, rules)


def admits(rules: Sequence[CorsRule], origin: str) -> bool:
    """Whether the rules let a console of this origin use all methods."""

    def covers(rule: CorsRule, method: str) -> bool:
        return method in rule.methods and any(
            fnmatchcase(origin, pattern) or fnmatchcase(pattern, origin) for pattern in rule.origins
        )

    needed = cors_rule(origin).methods
    return all(any(covers(rule, method) for rule in rules) for method in needed)


def _canonical(rule: CorsRule) -> tuple[object, ...]:
    lists = (rule.origins, rule.methods, rule.headers, rule.exposed)
    return (*(tuple(sorted(entry.lower() for entry in one)) for one in lists), rule.seconds)
