"""The rule that lets Anyscale's console read a bucket from a browser."""

from __future__ import annotations

import json
from collections.abc import Sequence
from fnmatch import fnmatchcase
from typing import Any

from anyscale_k8s_cli.providers.objectstore.store import S3Store
from anyscale_k8s_cli.templates import load_json

Rule = dict[str, Any]


def rule(origin: str) -> Rule:
    made: Rule = load_json("objectstore/cors-rule.json", {"origin": origin})
    return made


def admits(rules: Sequence[Rule], origin: str) -> bool:
    """Whether the rules let a console of this origin do all that ours would.

    `origin` may be a pattern; a rule for a single console within it is enough.
    """

    def covers(found: Rule, method: str) -> bool:
        return method in found.get("AllowedMethods", []) and any(
            fnmatchcase(origin, pattern) or fnmatchcase(pattern, origin)
            for pattern in found.get("AllowedOrigins", [])
        )

    return all(
        any(covers(found, method) for found in rules) for method in rule(origin)["AllowedMethods"]
    )


def merged(rules: Sequence[Rule], origin: str) -> list[Rule]:
    """The rules that are there, with ours in the place of an older one of ours."""
    ours = rule(origin)
    return [found for found in rules if found.get("ID") != ours["ID"]] + [ours]


def by_hand(store: S3Store, bucket: str, origin: str) -> str:
    """What its owner types to let the console in."""
    rules = json.dumps({"CORSRules": [rule(origin)]})
    endpoint = f" --endpoint-url {store.endpoint}" if store.endpoint else ""
    return (
        f"aws s3api put-bucket-cors --bucket {bucket}{endpoint} --region {store.region} "
        f"--cors-configuration '{rules}'"
    )
