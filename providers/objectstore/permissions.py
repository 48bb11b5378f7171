"""The least rights per verb in a store that tells actions apart: to print, and to tell of a
refusal.

Policies have Amazon's form, which most stores take.
"""

from __future__ import annotations

import json

from anyscale_k8s_cli.provider import PolicyDocument, Verb
from anyscale_k8s_cli.templates import load_yaml

_PLACES = {"bucket": "", "objects": "/*"}


def documents(verb: Verb, name: str) -> list[PolicyDocument]:
    """One policy that covers the verb, offline; it is to be given to whom the keys are of."""
    document = load_yaml("objectstore/permissions.yaml")
    found = {
        place: sorted({item for part in verb.parts for item in document[part].get(place, ())})
        for place in _PLACES
    }
    policy = {
        "Version": "2012-10-17",
        "Statement": [_statement(found[place], _resource("<bucket>", place)) for place in _PLACES],
    }
    return [PolicyDocument(name, "S3 policy", json.dumps(policy, indent=2) + "\n")]


def action_of(call: str) -> str:
    """What policies must allow for a call of S3's."""
    known: dict[str, str] = load_yaml("objectstore/permissions.yaml")["actions"]
    return known.get(call, f"s3:{call}")


def statement_for(action: str, bucket: str) -> str:
    """What gives just one action in one bucket."""
    place = "bucket" if "Bucket" in action else "objects"
    return json.dumps(_statement([action], _resource(bucket, place)))


def _resource(bucket: str, place: str) -> str:
    return f"arn:aws:s3:::{bucket}{_PLACES[place]}"


def _statement(actions: list[str], resource: str) -> dict[str, object]:
    return {"Effect": "Allow", "Action": actions, "Resource": resource}
