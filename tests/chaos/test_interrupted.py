"""Ctrl-C and cancelled jobs: a quick end with its own code, and nothing that delete cannot find."""

from __future__ import annotations

import json
import re
import signal
import time
from typing import TYPE_CHECKING, Any

import pytest

from anyscale_k8s_cli.sandbox.aws.seed import ADMIN_POLICY
from tests.chaos.crashes import (
    DELETE,
    SETUP,
    WITHOUT_GPU,
    Moment,
    after,
    before,
    deleted,
    ended,
    kill_at,
    stopped_at,
)
from tests.chaos.likeness import likeness

WORLD = WITHOUT_GPU

if TYPE_CHECKING:
    from tests.processes import Sandbox

# What was promised, in seconds.
PROMPT = 10.0
LEDGER = "configmaps/anyscale-operator/anyscale-k8s-ledger"
# What is about the bucket, or the cloud's record, needs no way in.
SMALL = (*SETUP, "--network", "none")
RECORD = "*/sh.helm.release.v1.anyscale-operator.v1"
POLICY_WITHOUT_TAGS = {
    "Version": "2012-10-17",
    "Statement": [
        {"Effect": "Allow", "Action": "*", "Resource": "*"},
        {"Effect": "Deny", "Action": "s3:TagResource", "Resource": "*"},
    ],
}
# What an object is called in the ledger, by the call that creates it. Objects of
# Helm releases are in it as releases.
KEYS = (
    ("s3 CreateBucket", r"(?P<name>.+)", "aws:s3-bucket/{name}"),
    ("iam CreateRole", r"(?P<name>.+)", "aws:iam-role/{name}"),
    (
        "iam CreateOpenIDConnectProvider",
        r"https://(?P<name>.+)",
        "aws:iam-oidc-provider/{name}",
    ),
    ("anyscale POST /api/v2/clouds/", r"(?P<name>.+)", "anyscale:cloud/{name}"),
    (
        "anyscale PUT /api/v2/clouds/{}/add_resource",
        r".+/(?P<name>[^/]+)",
        "anyscale:cloud-resource/{name}",
    ),
    ("kubernetes POST .*", r"namespaces/(?P<name>.+)", "k8s:namespace/{name}"),
    (
        "kubernetes POST .*",
        r"secrets/(?P<where>.+)/sh\.helm\.release\.v1\.(?P<name>.+)\.v1",
        "helm:release/{where}/{name}",
    ),
    (
        "kubernetes PATCH .*",
        r"customresourcedefinitions/\w+\.(?P<name>.+)",
        "k8s:definitions/{name}",
    ),
    ("kubernetes PATCH .*", r"gatewayclasses/(?P<name>.+)", "k8s:gatewayclass/{name}"),
    ("kubernetes PATCH .*", r"gateways/(?P<name>[^/]+/[^/]+)", "k8s:gateway/{name}"),
    ("kubernetes PATCH .*", r"envoyproxies/(?P<name>.+)", "k8s:envoyproxy/{name}"),
)


@pytest.fixture(scope="module")
def empty(sandbox: Sandbox) -> dict[str, Any]:
    """The world before anything."""
    return likeness(sandbox.admin.snapshot())


def test_a_signal_ends_it_and_delete_finds_all(sandbox: Sandbox, empty: dict[str, Any]) -> None:
    # The call does not end within the grace, and is given up.
    created = until_told(sandbox, after("iam", "CreateRole"), signal.SIGINT)
    assert "aws:iam-role/anyscale-prod-92c04b15-operator" in created
    # helm is in the middle of it, and is ended.
    created |= until_told(sandbox, after("kubernetes", "POST */secrets", RECORD), signal.SIGTERM)
    assert "helm:release/anyscale-operator/anyscale-operator" in created

    (bucket,) = [key for key in created if key.startswith("aws:s3-bucket/")]
    deleted(sandbox, "--delete-bucket", bucket.partition("/")[2])
    assert likeness(sandbox.admin.snapshot()) == empty


def until_told(sandbox: Sandbox, moment: Moment, number: signal.Signals) -> set[str]:
    """A setup that gets a signal at that call: what it has made, all of it in the record."""
    since = sandbox.admin.last_call()
    running = stopped_at(sandbox, moment, *SETUP)
    running.send_signal(number)
    asked = time.monotonic()
    done = ended(running, limit=60)
    assert time.monotonic() - asked < PROMPT
    assert done.code == 128 + number
    assert done.document["error"]["exit_code"] == done.code

    sandbox.admin.clear_faults()
    # The answer that was not waited for comes into the record only now.
    created = {key for call in sandbox.admin.calls(after=since) for key in keys(call)}
    assert created <= ledger(sandbox)
    return created


def test_nothing_but_the_record_was_made(sandbox: Sandbox, empty: dict[str, Any]) -> None:
    """No tag outside of the cluster leads to it yet: its ledger does."""
    for moment in (before("s3", "CreateBucket"), before("iam", "CreateOpenIDConnectProvider")):
        sandbox.admin.inject(moment.fault)
    kill_at(sandbox, after("anyscale", "POST /api/v2/clouds/"), *SMALL)
    there = likeness(sandbox.admin.snapshot())
    made = [name for name in there if "prod" in name and not name.startswith("ledger ")]
    assert made == ["cloud prod"]
    removed = deleted(sandbox)["removed"]
    assert "anyscale:cloud/prod" in {item["key"] for item in removed}
    assert likeness(sandbox.admin.snapshot()) == empty


def test_a_bucket_that_was_not_tagged_yet(sandbox: Sandbox, empty: dict[str, Any]) -> None:
    """Without the right to tag while creating there is a moment when it is nobody's."""
    sandbox.admin.set_admin_policies([POLICY_WITHOUT_TAGS])
    kill_at(sandbox, before("s3", "PutBucketTagging"), *SMALL)
    (bucket,) = set(sandbox.admin.snapshot()["aws"]["buckets"]) - {"team-data"}
    found = sandbox.anyscale(*DELETE, "--dry-run", fresh_home=True)
    assert f"aws:s3-bucket/{bucket}" in {item["key"] for item in found.document["kept"]}
    again = sandbox.anyscale(*SMALL, "--dry-run", fresh_home=True)
    changes = {item["key"]: item["change"] for item in again.document["resources"]}
    assert changes[f"aws:s3-bucket/{bucket}"] == "update"
    sandbox.admin.set_admin_policies([ADMIN_POLICY])
    deleted(sandbox, "--delete-bucket", bucket)
    assert likeness(sandbox.admin.snapshot()) == empty


def keys(call: dict[str, Any]) -> list[str]:
    """What the object that a call creates is called in the ledger; [] for any other call."""
    operation = call["operation"]
    found = []
    for route, named, key in KEYS:
        if re.fullmatch(route, f"{operation['service']} {operation['name']}"):
            match = re.fullmatch(named, operation["resource"])
            if match:
                found.append(key.format(**match.groupdict()))
    return found


def ledger(sandbox: Sandbox) -> set[str]:
    """The keys in the ledger."""
    found = sandbox.admin.snapshot()["kubernetes"]["demo"][LEDGER]
    return set(json.loads(found["data"]["ledger.json"])["entries"])
