"""What our bucket is set to, leaving other people's labels and rules in place."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from typing import Any

from anyscale_k8s_cli.providers.gcs.sdk.storage import ENFORCED, Settings
from anyscale_k8s_cli.resource import FieldChange, differences, with_pairs
from anyscale_k8s_cli.templates import load_json

Rule = Mapping[str, Any]


@dataclass(frozen=True)
class BucketWishes:
    """`kms_key` is the full name of a key, where objects are to be encrypted by one."""

    labels: Mapping[str, str]
    console_origin: str
    kms_key: str | None
    dropped_labels: Mapping[str, str] = field(default_factory=dict)


def cors_rule(origin: str) -> Rule:
    """The rule that lets the console read and write from a browser."""
    rule: Rule = load_json("gcs/cors-rule.json", {"origin": origin})
    return rule


def lifecycle_rules() -> list[Rule]:
    """Old versions and unfinished uploads end by themselves: nobody sees and everybody pays."""
    rules: list[Rule] = load_json("gcs/lifecycle-rules.json")
    return rules


def wanted(found: Settings, wishes: BucketWishes) -> Settings:
    """The settings that are there, with ours in them."""
    return replace(
        found,
        labels=with_pairs(found.labels, wishes.labels, wishes.dropped_labels),
        versioning=True,
        uniform_access=True,
        public_access_prevention=ENFORCED,
        cors=_with(found.cors, [cors_rule(wishes.console_origin)]),
        lifecycle=_with(found.lifecycle, lifecycle_rules()),
        kms_key=wishes.kms_key or found.kms_key,
    )


def told(found: Settings) -> dict[str, str]:
    """For people: how what is in the bucket is kept from others."""
    closed = found.public_access_prevention == ENFORCED
    return {
        "encryption": found.kms_key or "with keys of Google's",
        "public access": "prevented" if closed else "NOT PREVENTED by the bucket itself",
        "access lists": "off" if found.uniform_access else "ON",
        "versioning": "on" if found.versioning else "off",
    }


def changes(found: Settings, wishes: BucketWishes) -> list[FieldChange]:
    """How the settings differ from what they should be."""
    new = wanted(found, wishes)
    result = differences("label", found.labels, wishes.labels, wishes.dropped_labels)
    pairs = (
        ("uniform access", found.uniform_access, new.uniform_access),
        ("public access prevention", found.public_access_prevention, new.public_access_prevention),
        ("versioning", found.versioning, new.versioning),
        ("encryption key", found.kms_key, new.kms_key),
    )
    result += [FieldChange(name, old, value) for name, old, value in pairs if old != value]
    if _missing(found.cors, [cors_rule(wishes.console_origin)]):
        result.append(FieldChange("CORS for the console", "absent", wishes.console_origin))
    if _missing(found.lifecycle, lifecycle_rules()):
        result.append(FieldChange("lifecycle rules", "absent", "as wanted"))
    return result


def admits(rules: Sequence[Rule], origin: str) -> bool:
    """Whether CORS rules let a console of this origin use all methods."""

    def covers(rule: Rule, method: str) -> bool:
        methods = rule.get("method") or ()
        return (method in methods or "*" in methods) and any(
            fnmatchcase(origin, pattern) or fnmatchcase(pattern, origin)
            for pattern in rule.get("origin") or ()
        )

    needed = cors_rule(origin)["method"]
    return all(any(covers(rule, method) for rule in rules) for method in needed)


def _with(found: Sequence[Rule], ours: Sequence[Rule]) -> list[Rule]:
    return [*found, *_missing(found, ours)]


def _missing(found: Sequence[Rule], ours: Sequence[Rule]) -> list[Rule]:
    there = [_canonical(rule) for rule in found]
    return [rule for rule in ours if _canonical(rule) not in there]


def _canonical(value: Any) -> Any:
    """A rule in one way of writing: neither the order of lists nor a number's form matters."""
    if isinstance(value, Mapping):
        return {key: _canonical(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return sorted(str(_canonical(item)) for item in value)
    return str(value)
