"""Planted faults: `verify` finds each, and nothing else; what it prints mends what is ours.

Faults that do not hide each other are planted together, so that many of them cost one
look: all that was planted must be found, and all that is found must have been planted.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import trustme

from anyscale_k8s_cli.ledger import UNTOLD
from anyscale_k8s_cli.sandbox.world import World
from tests.e2e.test_wires import BUCKET, NAMESPACE, OPERATOR, ROLE, Site, site_in
from tests.processes import Ended, Sandbox, eventually

WORLD = World(platforms=("eks",))

GATEWAY = f"/apis/gateway.networking.k8s.io/v1{NAMESPACE.removeprefix('/api/v1')}/gateways/gateway"
RIGHTS = f"/apis/rbac.authorization.k8s.io/v1{NAMESPACE.removeprefix('/api/v1')}/roles"
HOOKS = "/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations"
PLUGIN = "/apis/apps/v1/namespaces/nvidia-device-plugin/daemonsets/nvdp-nvidia-device-plugin"
PRODUCT = "nvidia.com/gpu.product"
# What a sandbox has from the start: the chart's own types are larger than its nodes.
ALWAYS = {"instance-types-fit"}

Plant = Callable[[Site], Callable[[], object] | None]


@dataclass(frozen=True)
class Fault:
    """`plant` gives the way back where setup does not know it. `codes` are who finds it.

    `named` stands in the evidence of the drift, where it is one.
    """

    what: str
    plant: Plant
    codes: frozenset[str]
    named: str = ""


def fault(what: str, plant: Plant, *codes: str, named: str = "") -> Fault:
    return Fault(what, plant, frozenset((*codes, *(("drift",) if named else ()))), named)


def patch(path: str, change: Mapping[str, Any]) -> Plant:
    return lambda site: site.hand.patch(path, change) and None


def fewer_rights(site: Site) -> None:
    rules = site.hand.kubernetes.get(f"{RIGHTS}/anyscale-operator").json()["rules"]
    rules[0]["resources"].remove("secrets")
    site.hand.patch(f"{RIGHTS}/anyscale-operator", {"rules": rules})


def webhook_to_nowhere(site: Site) -> None:
    path = f"{HOOKS}/anyscale-operator-anyscale-operator"
    hooks = site.hand.kubernetes.get(path).json()["webhooks"]
    hooks[0]["clientConfig"]["url"] = "http://127.0.0.1:9/admission"
    site.hand.patch(path, {"webhooks": hooks})


def other_certificate(site: Site) -> Callable[[], object]:
    """Somebody puts a certificate of another name in place of the operator's."""
    name = f"anyscale-{site.resource_id.replace('_', '-')}-certificate"
    path = f"{NAMESPACE}/secrets/{name}"
    issued = trustme.CA().issue_cert("elsewhere.example.com")
    data = {
        "tls.crt": issued.cert_chain_pems[0].bytes(),
        "tls.key": issued.private_key_pem.bytes(),
    }
    encoded = {key: base64.b64encode(value).decode() for key, value in data.items()}
    site.hand.patch(path, {"data": encoded})
    # As the check says: the operator makes it again.
    return lambda: site.hand.delete(path)


def other_label(site: Site) -> Callable[[], object]:
    nodes = site.hand.kubernetes.get("/api/v1/nodes").json()["items"]
    [gpu] = [item["metadata"] for item in nodes if PRODUCT in item["metadata"]["labels"]]
    path, label = f"/api/v1/nodes/{gpu['name']}", gpu["labels"][PRODUCT]
    site.hand.patch(path, {"metadata": {"labels": {PRODUCT: "strange"}}})
    return lambda: site.hand.patch(path, {"metadata": {"labels": {PRODUCT: label}}})


def no_cors(site: Site) -> None:
    site.hand.aws("s3").delete_bucket_cors(Bucket=BUCKET)


def no_plugin(site: Site) -> None:
    site.hand.delete(PLUGIN)
    eventually(lambda: not gpus(site))


def gpus(site: Site) -> int:
    nodes = site.hand.kubernetes.get("/api/v1/nodes").json()["items"]
    return sum(int(item["status"]["allocatable"].get("nvidia.com/gpu", 0)) for item in nodes)


def wrong_reference(site: Site) -> None:
    """The id with its underscore, which the API takes and nobody can resolve."""
    listeners = site.hand.kubernetes.get(GATEWAY).json()["spec"]["listeners"]
    [https] = [item for item in listeners if item["name"] == "https"]
    https["tls"]["certificateRefs"][0]["name"] = f"anyscale-{site.resource_id}-certificate"
    site.hand.patch(GATEWAY, {"spec": {"listeners": listeners}})


def other_identity(site: Site) -> None:
    """Somebody registers another role as the operator's."""
    api, resource = site.hand.control_plane, site.registered
    [cloud] = api.get("clouds/").json()["results"]
    read_only = ("operator_status", "operator_status_details", "created_at", "is_default")
    changed = {key: value for key, value in resource.items() if key not in read_only}
    role = "arn:aws:iam::284710593866:role/elsewhere"
    changed["kubernetes_config"]["anyscale_operator_iam_identity"] = role
    api.put(f"clouds/{cloud['id']}/resources", json=[changed])


def broken(what: str) -> Plant:
    return lambda site: site.sandbox.admin.break_(what, platform="eks") and None


TOGETHER: Mapping[str, Sequence[Fault]] = {
    "while the operator runs": (
        fault("rights", fewer_rights, "operator-rights", named="helm:release/"),
        fault("webhook", webhook_to_nowhere, "operator-webhook", named="helm:release/"),
        fault("certificate", other_certificate, "gateway-certificates"),
        fault("label of a node", other_label, "gpu-labels"),
        fault("CORS", no_cors, "storage-cors", "operator-storage", named="aws:s3-bucket/"),
        fault(
            "level of the namespace",
            patch(
                NAMESPACE,
                {"metadata": {"labels": {"pod-security.kubernetes.io/enforce": "baseline"}}},
            ),
            named="namespace",
        ),
        fault(
            "another identity",
            other_identity,
            "operator-holds-identity",
            "operator-registration",
            named="anyscale:",
        ),
    ),
    "while it does not": (
        fault(
            "scaled to zero",
            patch(OPERATOR, {"spec": {"replicas": 0}}),
            "operator-workload",
            named="helm:release/",
        ),
        fault("trust", broken("role-trust"), "operator-identity", named=f"iam-role/{ROLE}"),
        fault("device plugin", no_plugin, "gpu-plugin", named="nvidia-device-plugin/nvdp"),
        fault(
            "reference",
            wrong_reference,
            "gateway-listeners",
            "gateway-certificates",
            named="gateway",
        ),
    ),
    "without a bucket": (
        fault(
            "bucket",
            broken("bucket"),
            "operator-storage",
            "storage-console",
            "pod-storage",
            named="aws:s3-bucket/",
        ),
    ),
}
# What follows from a fault sooner or later, by the clock of others.
FOLLOWS = {
    *("operator-health", "storage-console", "storage-cors", "operator-gateway"),
    # STS may go by the old trust for one use more.
    "pod-storage",
}


def verify(site: Site, *more: str) -> Ended:
    return site.sandbox.anyscale("cloud", "verify", "prod", "-o", "json", *more)


def unwell(document: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    wrong = ("fail", "warn")
    return {item["code"]: item for item in document["checks"] if item["status"] in wrong}


@pytest.fixture(scope="module")
def site(sandbox: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> Site:
    made = site_in(sandbox, tmp_path_factory.mktemp("site"))
    ended = made.setup()
    assert ended.code == 0, ended.err
    return made


def test_a_healthy_cloud(site: Site) -> None:
    ended = verify(site, "--probe")

    assert ended.code == 0, ended.out
    document = ended.document
    schema = Path(__file__).parents[2] / "docs" / "schemas" / "verify.json"
    jsonschema.validate(document, json.loads(schema.read_text(encoding="utf-8")))
    assert set(unwell(document)) == ALWAYS
    assert document["summary"]["unknown"] == 0
    asked = {item["code"] for item in document["checks"]}
    assert {
        *("cloud-registered", "cluster-reachable", "operator-health", "namespace-pod-security"),
        *("operator-gateway", "addon-versions", "kept-objects", "pod-storage", "pod-egress"),
    } <= asked


def test_what_is_waived_stays_visible_and_the_rest_can_be_left_out(site: Site) -> None:
    chosen = ("--only", "instance-types-fit", "--only", "drift", "--waive", "drift")

    document = verify(site, *chosen).document

    verdicts = {item["code"]: item["status"] for item in document["checks"]}
    assert verdicts == {"instance-types-fit": "warn", "drift": "waived"}


@pytest.mark.parametrize("batch", TOGETHER)
def test_planted_faults_are_found_and_mended(site: Site, batch: str) -> None:
    faults = TOGETHER[batch]
    ways_back = [way for item in faults if (way := item.plant(site)) is not None]

    ended = verify(site, "--probe")

    assert ended.code == 6, ended.out
    wrong = unwell(ended.document)
    found = [item.what for item in faults if item.codes <= set(wrong)]
    expected = frozenset().union(*(item.codes for item in faults))
    missed = [item.what for item in faults if item.what not in found]
    print(f"{batch}: found {len(found)} of {len(faults)}")  # noqa: T201 - for who reads the log
    assert missed == [], wrong
    assert set(wrong) - expected - FOLLOWS == ALWAYS
    evidence = "\n".join(wrong["drift"]["evidence"])
    assert [item.what for item in faults if item.named not in evidence] == []

    for way in ways_back:
        way()
    mended = site.paste(wrong["drift"]["fix"])
    assert mended.code == 0, mended.out + mended.err
    eventually(lambda: set(unwell(verify(site).document)) == ALWAYS, 60)
    print(f"{batch}: repaired {len(faults)}")  # noqa: T201


def test_a_cloud_whose_inventory_is_gone(site: Site) -> None:
    """As one that was set up by hand: what nobody has written down is unknown, and why."""
    site.hand.delete(f"{NAMESPACE}/configmaps/anyscale-k8s-ledger")

    ended = verify(site)

    assert ended.code == 0, ended.out
    unknown = {
        item["code"]: item["detail"]
        for item in ended.document["checks"]
        if item["status"] == "unknown"
    }
    assert set(unknown) == {"operator-identity", "operator-storage", "drift", "kept-objects"}
    assert set(unknown.values()) == {UNTOLD}


def test_a_cloud_whose_cluster_nobody_here_may_see(site: Site) -> None:
    nobody = {"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": "", "AWS_SESSION_TOKEN": ""}

    ended = site.sandbox.anyscale("cloud", "verify", "prod", "-o", "json", env=nobody)

    assert ended.code == 0, ended.out
    verdicts = {item["code"]: item["status"] for item in ended.document["checks"]}
    known = {code for code, status in verdicts.items() if status == "pass"}
    assert known == {"cloud-registered", "operator-health", "storage-console", "storage-cors"}
    assert set(verdicts.values()) == {"pass", "unknown"}
