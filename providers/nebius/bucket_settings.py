"""What our bucket is set to, leaving other people's labels and rules in place."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase

from anyscale_k8s_cli.providers.nebius.sdk.storage import Rule, Settings
from anyscale_k8s_cli.providers.nebius.tags import Labels
from anyscale_k8s_cli.resource import FieldChange
from anyscale_k8s_cli.templates import load_json

# Old versions and unfinished uploads end by themselves: nobody sees and everybody pays.
OLD_DAYS, UPLOAD_DAYS = 30, 7


@dataclass(frozen=True)
class BucketWishes:
    labels: Labels
    console_origin: str


def cors_rule(origin: str) -> Rule:
    """The rule that lets the console read and write from a browser."""
    rule: Rule = load_json("nebius/cors-rule.json", {"origin": origin})
    return rule


def wanted(found: Settings, wishes: BucketWishes) -> Settings:
    """The settings that are there, with ours in them."""
    rules = found.cors
    if not admits(rules, wishes.console_origin):
        rules = (*rules, cors_rule(wishes.console_origin))
    return replace(
        found,
        labels=wishes.labels.on(found.labels),
        versioning=True,
        cors=rules,
        old_days=found.old_days or OLD_DAYS,
        upload_days=found.upload_days or UPLOAD_DAYS,
    )


def told(found: Settings) -> dict[str, str]:
    """For people: how what is in the bucket is kept from others."""
    return {
        "encryption": "with keys of Nebius's",
        "public access": "by access permits alone",
        "versioning": "on" if found.versioning else "off",
    }


def changes(found: Settings, wishes: BucketWishes) -> list[FieldChange]:
    """How the settings differ from what they should be."""
    new = wanted(found, wishes)
    result = wishes.labels.differ(found.labels)
    pairs = (
        ("versioning", found.versioning, new.versioning),
        ("days that old versions stay", found.old_days, new.old_days),
        ("days that unfinished uploads stay", found.upload_days, new.upload_days),
    )
    result += [FieldChange(name, old, value) for name, old, value in pairs if old != value]
    if not admits(found.cors, wishes.console_origin):
        result.append(FieldChange("CORS for the console", "absent", wishes.console_origin))
    return result


def admits(rules: Sequence[Rule], origin: str) -> bool:
    """Whether CORS rules let a console of this origin use all methods, with any header."""

    def covers(rule: Rule, method: str) -> bool:
        return (
            method in rule["methods"]
            and "*" in rule["headers"]
            and any(fnmatchcase(origin, pattern) for pattern in rule["origins"])
        )

    needed = cors_rule(origin)["methods"]
    return all(any(covers(rule, method) for rule in rules) for method in needed)
