"""Somebody changes or removes things by hand: the plan names them, setup mends them, and no others.

One sandbox and one install for all; every test ends with everything as it should be, which the
next change shows: nothing else is named beside it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from anyscale_k8s_cli.sandbox.aws.seed import EksClusterSeed
from anyscale_k8s_cli.sandbox.environment import Folder
from anyscale_k8s_cli.sandbox.world import World
from tests.by_hand import ByHand
from tests.processes import UNTRIED, Desk, Sandbox, eventually, finished, started

ID = "92c04b15"
NAME = f"anyscale-prod-{ID}"
BUCKET = f"aws:s3-bucket/{NAME}"
PROVIDER = f"aws:iam-oidc-provider/{EksClusterSeed().issuer.removeprefix('https://')}"
ROLE = f"aws:iam-role/{NAME}-operator"
CLOUD = "anyscale:cloud/prod"
REGISTRATION = f"anyscale:cloud-resource/eks-{ID}"
NAMESPACE = "k8s:namespace/anyscale-operator"
GPU_NAMESPACE = "k8s:namespace/nvidia-device-plugin"
GPU_PLUGIN = "helm:release/nvidia-device-plugin/nvdp"
GATEWAY_NAMESPACE = "k8s:namespace/envoy-gateway-system"
GATEWAY_API = "k8s:definitions/gateway.networking.k8s.io"
ENVOY_API = "k8s:definitions/gateway.envoyproxy.io"
CONTROLLER = "helm:release/envoy-gateway-system/eg"
PROXY = "k8s:envoyproxy/anyscale-operator/gateway"
CLASS = f"k8s:gatewayclass/{NAME}"
GATEWAY = "k8s:gateway/anyscale-operator/gateway"
ACCOUNT = "k8s:serviceaccount/anyscale-operator/anyscale-operator"
OPERATOR = "helm:release/anyscale-operator/anyscale-operator"

TIME = r"'\d{4}-\d\d-\d\dT[\d:]+Z'"
NAMESPACES = "/api/v1/namespaces"
DEFINITIONS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
NETWORKING = "/apis/gateway.networking.k8s.io/v1"
ENVOY = "/apis/gateway.envoyproxy.io/v1alpha1"
APPS = "/apis/apps/v1/namespaces"
PATHS = {
    NAMESPACE: f"{NAMESPACES}/anyscale-operator",
    GPU_NAMESPACE: f"{NAMESPACES}/nvidia-device-plugin",
    GATEWAY_NAMESPACE: f"{NAMESPACES}/envoy-gateway-system",
    # Of releases and definitions one object each.
    GPU_PLUGIN: f"{APPS}/nvidia-device-plugin/daemonsets/nvdp-nvidia-device-plugin",
    CONTROLLER: f"{APPS}/envoy-gateway-system/deployments/envoy-gateway",
    OPERATOR: f"{APPS}/anyscale-operator/deployments/anyscale-operator",
    GATEWAY_API: f"{DEFINITIONS}/grpcroutes.gateway.networking.k8s.io",
    ENVOY_API: f"{DEFINITIONS}/backendtrafficpolicies.gateway.envoyproxy.io",
    PROXY: f"{ENVOY}/namespaces/anyscale-operator/envoyproxies/gateway",
    CLASS: f"{NETWORKING}/gatewayclasses/{NAME}",
    GATEWAY: f"{NETWORKING}/namespaces/anyscale-operator/gateways/gateway",
    ACCOUNT: f"{NAMESPACES}/anyscale-operator/serviceaccounts/anyscale-operator",
}

Changes = dict[str, str]


@dataclass
class Site:
    """An install, and somebody with the rights to spoil it."""

    sandbox: Sandbox
    hand: ByHand
    ids: dict[str, str | None] = field(default_factory=dict)

    def run(self, command: str, *more: str) -> dict[str, Any]:
        where = ("--provider", "eks", "--cluster-name", "demo", "--region", "us-west-2")
        ended = self.sandbox.anyscale(
            "cloud", command, *where, "--name", "prod", *more, "-o", "json"
        )
        assert ended.code == 0, ended.err
        return ended.document

    def plan(self) -> Changes:
        """What a plan would change, as `update: why`, by key."""
        return _changes(self.run("plan", *UNTRIED))

    def setup(self) -> Changes:
        """Set up; all that was planned is done, and nothing that stays was made anew."""
        document = self.run("setup", *UNTRIED, "--yes")
        assert document["health"] == "HEALTHY"
        changes = _changes(document)
        ids = {item["key"]: item["id"] for item in document["resources"]}
        for item in document["resources"]:
            assert item.get("result", "done") == "done"
            if item["key"] not in changes and self.ids:
                assert item["id"] == self.ids[item["key"]], item["key"]
        self.ids = ids
        return changes

    @property
    def cloud_id(self) -> str:
        return str(self.ids[CLOUD])


def _changes(document: Mapping[str, Any]) -> Changes:
    return {
        item["key"]: re.sub(TIME, "<time>", f"{item['change']}: {item['reason']}")
        for item in document["resources"]
        if item["change"] != "none"
    }


@pytest.fixture(scope="module")
def site(desks: Callable[[], Desk], homes: Callable[[], Path]) -> Iterator[Site]:
    with started(desks(), homes, World(platforms=("eks",))) as sandbox:
        made = Site(sandbox, ByHand(sandbox.environment))
        made.setup()
        yield made


def test_a_persons_own_helm_sees_the_releases(site: Site) -> None:
    """In the sandbox's environment, as somebody types it."""

    def helm(*arguments: str) -> Any:
        argv = [str(Folder(site.sandbox.record.directory).helm), *arguments, "--output", "json"]
        ended = finished(argv, site.sandbox.environment, site.sandbox.record.directory)
        assert ended.code == 0, ended.err
        return json.loads(ended.out)

    found = {release["name"]: release["status"] for release in helm("list", "--all-namespaces")}
    assert found == dict.fromkeys(("anyscale-operator", "eg", "nvdp"), "deployed")
    values = helm("get", "values", "anyscale-operator", "--namespace", "anyscale-operator")
    assert values["global"]["cloudDeploymentId"] == site.ids[REGISTRATION]


# -- looked at ----------------------------------------------------------------


def told(site: Site, *words: str) -> Any:
    ended = site.sandbox.anyscale("cloud", *words, "-o", "json")
    assert ended.code == 0, ended.err
    return ended.document


def test_an_object_is_explained(site: Site) -> None:
    (provider,) = told(site, "explain", "iam-oidc-provider", "--name", "prod")["objects"]
    assert provider["key"] == PROVIDER
    assert provider["users"] == [f"cloud prod (install {ID})"]
    assert provider["needed_by"] == [ROLE]
    assert (provider["state"], provider["drift"]) == ("there", None)


def are_explained(site: Site, changed: set[str]) -> None:
    every = {item["key"]: item for item in told(site, "explain", "prod")["objects"]}
    assert set(every) == set(site.ids)
    assert {key for key, item in every.items() if item["drift"]} == changed
    assert all(item["why"] and item["without"] for item in every.values())
    assert {item["deletion"]["fate"] for item in every.values()} == {"deleted", "kept", "shared"}


def is_reviewed(site: Site) -> None:
    page = told(site, "review", "prod")
    holders = {item["title"]: item for item in page["identities"]}
    trust, _ = holders[f"IAM role {NAME}-operator"]["documents"]
    assert json.loads(trust["text"])["Statement"][0]["Effect"] == "Deny"
    roles = {item["name"]: item for item in page["kubernetes"]}
    assert roles["anyscale-operator"]["rules"]
    assert {item["release"] for item in page["kubernetes"]} == {
        f"{namespace}/{name}"
        for namespace, name in (
            ("anyscale-operator", "anyscale-operator"),
            ("envoy-gateway-system", "eg"),
            ("nvidia-device-plugin", "nvdp"),
        )
    }
    assert all(item["holds"] for item in page["secrets"])
    assert [item["port"] for item in page["network"]["listeners"]] == [80, 443, 443]
    assert page["network"]["load_balancers"]
    assert page["images"]
    assert page["data"][0]["bucket"] == f"s3://{NAME}"
    assert page["unknown"] == []


# -- changed ------------------------------------------------------------------


def change_bucket(site: Site) -> None:
    site.hand.aws("s3").put_bucket_versioning(
        Bucket=NAME, VersioningConfiguration={"Status": "Suspended"}
    )


def change_provider(site: Site) -> None:
    site.hand.aws("iam").remove_client_id_from_open_id_connect_provider(
        OpenIDConnectProviderArn=site.ids[PROVIDER], ClientID="sts.amazonaws.com"
    )


def change_role(site: Site) -> None:
    nobody = {"Effect": "Deny", "Principal": "*", "Action": "sts:AssumeRole"}
    site.hand.aws("iam").update_assume_role_policy(
        RoleName=f"{NAME}-operator",
        PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [nobody]}),
    )


def change_registration(site: Site) -> None:
    path = f"clouds/{site.cloud_id}/resources"
    [resource] = site.hand.control_plane.get(path).json()["results"]
    resource["kubernetes_config"]["zones"] = ["us-west-2a"]
    written = ("name", "provider", "compute_stack", "region", "cloud_resource_id")
    shaped = ("object_storage", "kubernetes_config", "aws_config")
    site.hand.control_plane.put(path, json=[{key: resource[key] for key in written + shaped}])


def change_gateway(site: Site) -> None:
    listeners = site.hand.kubernetes.get(PATHS[GATEWAY]).json()["spec"]["listeners"]
    listeners[1]["hostname"] = "*.example.com"
    site.hand.patch(PATHS[GATEWAY], {"spec": {"listeners": listeners}})
    eventually(lambda: gateway_is_seen(site))


def gateway_is_seen(site: Site) -> bool:
    """Whether its controller has answered the last change."""
    gateway = site.hand.kubernetes.get(PATHS[GATEWAY]).json()
    seen = [item["observedGeneration"] for item in gateway["status"]["conditions"]]
    return set(seen) == {gateway["metadata"]["generation"]}


def patch(key: str, change: Mapping[str, Any], path: str = "") -> Callable[[Site], None]:
    return lambda site: site.hand.patch(path or PATHS[key], change)


def annotation(name: str, value: str | None) -> dict[str, Any]:
    return {"metadata": {"annotations": {name: value}}}


ENFORCE = "pod-security.kubernetes.io/enforce"
ROLE_ARN = "eks.amazonaws.com/role-arn"
LOAD_BALANCER_TYPE = "service.beta.kubernetes.io/aws-load-balancer-type"
OTHER_TYPE = {LOAD_BALANCER_TYPE: "nlb"}
MARK = f"anyscale-k8s/user-{ID}"
UNMARKED = (annotation(MARK, None), f"mark of install {ID}: 'missing' → 'set'")
# What somebody does to an object, and what the plan says of it then. The record of a
# cloud has nothing that could be changed.
CHANGED: dict[str, tuple[Callable[[Site], None], str]] = {
    BUCKET: (change_bucket, "versioning: 'Suspended' → 'Enabled'"),
    PROVIDER: (change_provider, "client ids: 'none' → 'with sts.amazonaws.com'"),
    ROLE: (
        change_role,
        "trust policy: 'for no service account' → "
        "'for system:serviceaccount:anyscale-operator:anyscale-operator'",
    ),
    REGISTRATION: (
        change_registration,
        'kubernetes_config.zones: ["us-west-2a"] → ["us-west-2a", "us-west-2b", "us-west-2c"]',
    ),
    NAMESPACE: (
        patch(NAMESPACE, {"metadata": {"labels": {ENFORCE: "baseline"}}}),
        f"metadata.labels[\"{ENFORCE}\"]: 'baseline' → 'privileged'",
    ),
    GPU_NAMESPACE: (patch(GPU_NAMESPACE, UNMARKED[0]), UNMARKED[1]),
    GATEWAY_NAMESPACE: (patch(GATEWAY_NAMESPACE, UNMARKED[0]), UNMARKED[1]),
    GATEWAY_API: (
        patch(GATEWAY_API, UNMARKED[0], f"{DEFINITIONS}/gateways.gateway.networking.k8s.io"),
        UNMARKED[1],
    ),
    ENVOY_API: (
        patch(ENVOY_API, UNMARKED[0], f"{DEFINITIONS}/envoyproxies.gateway.envoyproxy.io"),
        UNMARKED[1],
    ),
    GPU_PLUGIN: (
        patch(GPU_PLUGIN, {"spec": {"template": {"spec": {"priorityClassName": "low"}}}}),
        "DaemonSet nvdp-nvidia-device-plugin in nvidia-device-plugin: "
        "spec.template.spec.priorityClassName: 'low' → 'system-node-critical'",
    ),
    CONTROLLER: (
        patch(CONTROLLER, {"spec": {"replicas": 2}}),
        "Deployment envoy-gateway in envoy-gateway-system: spec.replicas: 2 → 1",
    ),
    OPERATOR: (
        patch(OPERATOR, {"spec": {"replicas": 3}}),
        "Deployment anyscale-operator in anyscale-operator: spec.replicas: 3 → 1",
    ),
    PROXY: (
        patch(
            PROXY,
            {"spec": {"provider": {"kubernetes": {"envoyService": {"annotations": OTHER_TYPE}}}}},
        ),
        "spec.provider.kubernetes.envoyService."
        f"annotations[\"{LOAD_BALANCER_TYPE}\"]: 'nlb' → 'external'",
    ),
    CLASS: (
        patch(CLASS, {"metadata": {"labels": {"anyscale-k8s/install": "other"}}}),
        f"metadata.labels[\"anyscale-k8s/install\"]: 'other' → '{ID}'",
    ),
    GATEWAY: (
        change_gateway,
        "spec.listeners[1].hostname: '*.example.com' → '*.i.anyscaleuserdata.com'",
    ),
    ACCOUNT: (
        patch(ACCOUNT, annotation(ROLE_ARN, "arn:aws:iam::284710593866:role/other")),
        f"metadata.annotations[\"{ROLE_ARN}\"]: 'arn:aws:iam::284710593866:role/other' → "
        f"'arn:aws:iam::284710593866:role/anyscale-k8s/prod/{NAME}-operator'",
    ),
}


def test_every_kind_of_object_has_its_turn(site: Site) -> None:
    """So that a new one cannot be forgotten here."""
    assert set(site.ids) == set(CHANGED) | {CLOUD}
    assert set(site.ids) == {key for gone in REMOVED.values() for key in gone.removed}


def test_what_is_changed_is_explained_reviewed_named_and_restored(site: Site) -> None:
    before = settings(site)
    for change, _ in CHANGED.values():
        change(site)

    are_explained(site, set(CHANGED))
    is_reviewed(site)
    assert site.setup() == {key: f"update: {reason}" for key, (_, reason) in CHANGED.items()}
    assert settings(site) == before


def settings(site: Site) -> dict[str, Any]:
    """All that is set in the account and the cluster, without what changes by itself."""
    found = site.sandbox.admin.snapshot()
    aws = found["aws"]
    for bucket in aws["buckets"].values():
        bucket.pop("versions")
    passing = ("events/", "leases", "pods/", "replicasets", "secrets/", "endpoints", "jobs")
    cluster = {
        key: _settings(item)
        for key, item in found["kubernetes"]["demo"].items()
        if not key.startswith(passing) and not key.endswith("/anyscale-k8s-ledger")
    }
    return {"aws": aws, "cluster": cluster}


def _settings(item: dict[str, Any]) -> dict[str, Any]:
    kept = {key: value for key, value in item.items() if key not in ("metadata", "status")}
    metadata = item["metadata"]
    annotations = dict(metadata.get("annotations") or {})
    annotations.pop("deployment.kubernetes.io/revision", None)
    return {**kept, "labels": metadata.get("labels"), "annotations": annotations}


# -- removed ------------------------------------------------------------------


def remove_bucket(site: Site) -> None:
    s3 = site.hand.aws("s3")

    def gone() -> bool:
        found = s3.list_object_versions(Bucket=NAME)
        for item in (*found.get("Versions", ()), *found.get("DeleteMarkers", ())):
            s3.delete_object(Bucket=NAME, Key=item["Key"], VersionId=item["VersionId"])
        try:
            s3.delete_bucket(Bucket=NAME)
        except s3.exceptions.ClientError as refused:
            if refused.response["Error"]["Code"] != "BucketNotEmpty":
                raise
            # The operator has just written into it.
            return False
        return True

    eventually(gone)


def remove_provider(site: Site) -> None:
    site.hand.aws("iam").delete_open_id_connect_provider(
        OpenIDConnectProviderArn=site.ids[PROVIDER]
    )


def remove_role(site: Site) -> None:
    iam, role = site.hand.aws("iam"), f"{NAME}-operator"
    for policy in iam.list_role_policies(RoleName=role)["PolicyNames"]:
        iam.delete_role_policy(RoleName=role, PolicyName=policy)
    iam.delete_role(RoleName=role)


def remove_cloud(site: Site) -> None:
    """As the console does it; what is registered in it goes too."""
    site.hand.control_plane.put(f"clouds/{site.cloud_id}/state", params={"state": "DELETING"})
    site.hand.control_plane.delete(f"clouds/{site.cloud_id}")
    path = f"clouds/{site.cloud_id}"
    eventually(lambda: site.hand.control_plane.get(path).status_code == 404)


def remove(key: str) -> Callable[[Site], None]:
    return lambda site: site.hand.delete(PATHS[key])


def remove_whole(key: str) -> Callable[[Site], None]:
    """Until it is gone, and the proxy of a Gateway with it where that depends on it."""

    def work(site: Site) -> None:
        site.hand.delete(PATHS[key])
        eventually(lambda: not site.hand.exists(PATHS[key]))
        if key != GPU_NAMESPACE:
            eventually(lambda: not proxies(site))

    return work


def proxies(site: Site) -> list[Any]:
    """The Services that the gateway controller made."""
    selector = "gateway.envoyproxy.io/owning-gateway-name=gateway"
    path = "/api/v1/services"
    found = site.hand.kubernetes.get(path, params={"labelSelector": selector}).json()
    return list(found["items"])


@dataclass(frozen=True)
class Gone:
    """What somebody removes at once, and what the plan says of it and of what stood on it."""

    removed: Mapping[str, Callable[[Site], None]]
    expected: Changes


def missing(what: str) -> str:
    return f"update: {what}: 'missing' → 'present'"


NEW = "create: does not exist"
LOST = (
    "create: it does not exist any more, and an earlier setup had made it: what was in it (logs, "
    "artifacts) is lost unless it is restored; a new, empty one would be made under its name"
)
NEW_ADDRESS = "update: depends on Gateway, known after apply"
NEW_ID = f"update: depends on registration eks-{ID}, known after apply"
REMOVED = {
    "what nothing else depends on": Gone(
        {
            BUCKET: remove_bucket,
            PROVIDER: remove_provider,
            ROLE: remove_role,
            GPU_PLUGIN: remove(GPU_PLUGIN),
            CONTROLLER: remove(CONTROLLER),
            OPERATOR: remove(OPERATOR),
            GATEWAY_API: remove(GATEWAY_API),
            ENVOY_API: remove(ENVOY_API),
            ACCOUNT: remove(ACCOUNT),
        },
        {
            BUCKET: LOST,
            PROVIDER: NEW,
            ROLE: NEW,
            GPU_PLUGIN: missing("DaemonSet nvdp-nvidia-device-plugin in nvidia-device-plugin"),
            CONTROLLER: missing("Deployment envoy-gateway in envoy-gateway-system"),
            OPERATOR: missing("Deployment anyscale-operator in anyscale-operator"),
            GATEWAY_API: missing("grpcroutes.gateway.networking.k8s.io"),
            ENVOY_API: missing("backendtrafficpolicies.gateway.envoyproxy.io"),
            ACCOUNT: NEW,
        },
    ),
    "proxy, Gateway and GPU namespace": Gone(
        {
            PROXY: remove_whole(PROXY),
            GATEWAY: remove_whole(GATEWAY),
            GPU_NAMESPACE: remove_whole(GPU_NAMESPACE),
        },
        {
            PROXY: NEW,
            GATEWAY: NEW,
            OPERATOR: NEW_ADDRESS,
            GPU_NAMESPACE: NEW,
            GPU_PLUGIN: NEW,
        },
    ),
    "class": Gone(
        {CLASS: remove(CLASS)},
        {
            CLASS: "update: metadata.deletionTimestamp: <time> → absent",
            GATEWAY: "update: class: 'being deleted' → 'present'",
            OPERATOR: NEW_ADDRESS,
        },
    ),
    "cloud and gateway namespace": Gone(
        {
            CLOUD: remove_cloud,
            REGISTRATION: lambda _: None,
            GATEWAY_NAMESPACE: remove_whole(GATEWAY_NAMESPACE),
        },
        {
            CLOUD: NEW,
            REGISTRATION: NEW,
            GATEWAY: NEW_ID,
            OPERATOR: NEW_ADDRESS,
            GATEWAY_NAMESPACE: NEW,
            CONTROLLER: NEW,
        },
    ),
    "namespace": Gone(
        {NAMESPACE: remove_whole(NAMESPACE)},
        {NAMESPACE: NEW, PROXY: NEW, GATEWAY: NEW, ACCOUNT: NEW, OPERATOR: NEW},
    ),
}


@pytest.mark.parametrize("what", REMOVED)
def test_what_is_removed_is_named_and_made_again(site: Site, what: str) -> None:
    gone, before = REMOVED[what], settings(site)
    for act in gone.removed.values():
        act(site)

    assert site.setup() == gone.expected
    # With another address or id the operator's settings are others too.
    if gone.expected.get(OPERATOR) not in (NEW, NEW_ADDRESS):
        assert settings(site) == before


def test_in_the_end_nothing_is_to_be_changed(site: Site) -> None:
    assert site.plan() == {}
