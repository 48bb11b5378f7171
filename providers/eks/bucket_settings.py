"""What our bucket is set to, one setting at a time, leaving other people's rules in place."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any

from anyscale_k8s_cli.providers.eks.sdk.s3 import S3, BucketState, Rule
from anyscale_k8s_cli.resource import FieldChange, differences, with_pairs
from anyscale_k8s_cli.templates import load_json

OWNERSHIP = "BucketOwnerEnforced"
PUBLIC_ACCESS_BLOCK = (
    "BlockPublicAcls",
    "IgnorePublicAcls",
    "BlockPublicPolicy",
    "RestrictPublicBuckets",
)
# What the console does with objects of the bucket, from a browser.
CONSOLE_METHODS = ("DELETE", "GET", "HEAD", "POST", "PUT")


@dataclass(frozen=True)
class Setting:
    """`differences` compares with what was read; `write` makes it as it should be."""

    differences: Callable[[BucketState], list[FieldChange]]
    write: Callable[[BucketState], None]


@dataclass(frozen=True)
class BucketWishes:
    """`kms_key` gives the ARN of the key when objects are to be encrypted by one."""

    tags: Mapping[str, str]
    console_origin: str
    kms_key: Callable[[], str | None]
    dropped_tags: Mapping[str, str] = field(default_factory=dict)


def told(encryption: str, kms_key: str, versioning: str, *, closed: bool) -> dict[str, str]:
    """For people: how what is in the bucket is kept from others."""
    return {
        "encryption": f"{encryption} {kms_key}".strip() or "none",
        "public access": "blocked" if closed else "NOT BLOCKED",
        "versioning": versioning or "off",
    }


def protection(state: BucketState) -> dict[str, str]:
    """As it was read."""
    closed = not _block_differences(state)
    return told(state.encryption, state.kms_key, state.versioning, closed=closed)


def protection_of_ours(kms_key: str | None) -> dict[str, str]:
    """As setup makes it."""
    algorithm = "aws:kms" if kms_key else "AES256"
    return told(algorithm, kms_key or "", "Enabled", closed=True)


def settings(s3: S3, bucket: str, wishes: BucketWishes) -> tuple[Setting, ...]:
    """All settings of our bucket, in the order in which they are written."""
    return (
        Setting(
            lambda state: differences("tag", state.tags, wishes.tags, wishes.dropped_tags),
            lambda state: s3.put_tags(
                bucket, with_pairs(state.tags, wishes.tags, wishes.dropped_tags)
            ),
        ),
        Setting(
            _block_differences,
            lambda _: s3.put_public_access_block(bucket, dict.fromkeys(PUBLIC_ACCESS_BLOCK, True)),
        ),
        Setting(
            lambda state: _one("object ownership", state.ownership, OWNERSHIP),
            lambda _: s3.put_ownership(bucket, OWNERSHIP),
        ),
        Setting(
            lambda state: _encryption_differences(state, wishes.kms_key()),
            lambda _: s3.put_encryption(bucket, wishes.kms_key()),
        ),
        Setting(
            lambda state: _one("versioning", state.versioning, "Enabled"),
            lambda _: s3.enable_versioning(bucket),
        ),
        Setting(
            lambda state: _rule_differences("lifecycle rule", state.lifecycle, lifecycle_rules()),
            lambda state: s3.put_lifecycle(bucket, merged(state.lifecycle, lifecycle_rules())),
        ),
        Setting(
            lambda state: _cors_differences(state.cors, wishes.console_origin),
            lambda state: s3.put_cors(
                bucket, merged(state.cors, [cors_rule(wishes.console_origin)])
            ),
        ),
    )


def cors_rule(origin: str) -> Rule:
    """The rule that lets the console read and write from a browser."""
    rule: Rule = load_json("eks/cors-rule.json", {"origin": origin})
    return rule


def lifecycle_rules() -> list[Rule]:
    """Old versions and unfinished uploads end by themselves: nobody sees and everybody pays."""
    rules: list[Rule] = load_json("eks/lifecycle-rules.json")
    return rules


def merged(found: Sequence[Rule], ours: Sequence[Rule]) -> list[Rule]:
    """The rules that are there with ours in the place of those with the same ids."""
    ids = {rule["ID"] for rule in ours}
    return [rule for rule in found if rule.get("ID") not in ids] + list(ours)


def admits(rules: Sequence[Rule], origin: str) -> bool:
    """Whether CORS rules let a console of this origin use all methods.

    `origin` may be a pattern (`https://*.example.com`); a rule for a single
    console within it is enough.
    """

    def covers(rule: Rule, method: str) -> bool:
        return method in rule.get("AllowedMethods", []) and any(
            fnmatchcase(origin, pattern) or fnmatchcase(pattern, origin)
            for pattern in rule.get("AllowedOrigins", [])
        )

    return all(any(covers(rule, method) for rule in rules) for method in CONSOLE_METHODS)


def same_rule(one: Rule, other: Rule) -> bool:
    """Whether two rules do the same, however S3 writes them back."""
    return _canonical(one) == _canonical(other)


def _canonical(rule: Mapping[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in rule.items():
        if key == "ID" or (key in ("Filter", "Prefix") and value in ("", {}, {"Prefix": ""})):
            continue
        found[key] = sorted(map(str, value)) if isinstance(value, list) else value
    return found


def _one(field: str, old: Any, new: Any) -> list[FieldChange]:
    return [] if old == new else [FieldChange(field, old, new)]


def _block_differences(state: BucketState) -> list[FieldChange]:
    off = [name for name in PUBLIC_ACCESS_BLOCK if not state.public_access_block.get(name)]
    return _one("public access block", f"without {', '.join(off)}", "all on") if off else []


def _encryption_differences(state: BucketState, kms_key: str | None) -> list[FieldChange]:
    found = f"{state.encryption} {state.kms_key}".strip()
    if kms_key:
        if not state.bucket_key and state.kms_key == kms_key:
            return [FieldChange("encryption", f"{found} without bucket key", "with bucket key")]
        return _one("encryption", found, f"aws:kms {kms_key}")
    return _one("encryption", found, "AES256")


def _rule_differences(what: str, found: Sequence[Rule], ours: Sequence[Rule]) -> list[FieldChange]:
    changes = []
    for rule in ours:
        current = next((item for item in found if item.get("ID") == rule["ID"]), None)
        if current is None or not same_rule(current, rule):
            parts = sorted(
                key
                for key in {*rule, *(current or {})}
                if (current or {}).get(key) != rule.get(key)
            )
            old, new = ({key: one.get(key) for key in parts} for one in (current or {}, rule))
            changes.append(FieldChange(f"{what} {rule['ID']}", old if current else None, new))
    return changes


def _cors_differences(found: Sequence[Rule], origin: str) -> list[FieldChange]:
    ours = cors_rule(origin)
    if any(same_rule(rule, ours) for rule in found):
        return []
    current = next((rule for rule in found if rule.get("ID") == ours["ID"]), None)
    old = ", ".join(current.get("AllowedOrigins", [])) if current else "absent"
    return [FieldChange("CORS for the console", old, origin)]
