"""Reports as the operations give them, for renderers and schemas."""

from __future__ import annotations

from typing import Any

ENDPOINT = "https://0A1B2C3D4E5F.gr7.us-west-2.eks.example.test"

HEADER: dict[str, Any] = {
    "cloud": "prod",
    "provider": "eks",
    "account": "123456789012",
    "region": "us-west-2",
    "cluster": "demo",
    "endpoint": ENDPOINT,
    "cluster_uid": "3f0c1a52-8a4e-4d0e-9a51-0d2b7c9f1e11",
    "namespace": "anyscale-operator",
    "exposure": "PUBLIC",
    "environment": {"--region": "AWS_REGION"},
    "delete_bucket": None,
}

# What the report of a setup adds to that.
WHEREABOUTS: dict[str, Any] = {
    "console": "https://console.example.test",
    "bucket": "s3://anyscale-prod-1f3a9c2e",
    "identity": "arn:aws:iam::123456789012:role/operator",
    "address": "k8s-gateway-1a2b3c.elb.us-west-2.amazonaws.com",
    "namespaces": ["anyscale-operator", "envoy-gateway-system"],
    "releases": ["eg 1.7.0", "anyscale-operator 1.8.0"],
}


def _check(code: str, status: str, **more: Any) -> dict[str, Any]:
    plain = {"severity": "fatal", "detail": "", "evidence": [], "fix": ""}
    page = f"docs/checks/{code}.md"
    return {"code": code, "title": "It is so", "status": status, **plain, **more, "page": page}


def verified() -> dict[str, Any]:
    return {
        "schema": "anyscale-k8s/verify/v1",
        "cloud": "prod",
        "cloud_id": "cld_1",
        "provider": "eks",
        "region": "us-west-2",
        "cluster": "demo",
        "operator_namespace": "anyscale-operator",
        "well": False,
        "summary": {"pass": 1, "warn": 1, "fail": 1, "unknown": 1, "waived": 1},
        "checks": [
            _check("operator-workload", "pass", evidence=["Deployment anyscale-operator"]),
            _check("gpu-labels", "warn", severity="warning", detail="gpu-1 has no label"),
            _check(
                "drift",
                "fail",
                detail="S3 bucket: tags differ",
                evidence=["a\x1b[31mb", *(f"line {number}" for number in range(8))],
                fix="anyscale cloud setup --name prod",
            ),
            _check("operator-token", "unknown", detail="you may not ask"),
            _check("cluster-version", "waived", detail="waived by its code"),
        ],
    }


ERROR: dict[str, Any] = {
    "code": "no-address",
    "message": "The load balancer got no address",
    "cause": "no subnet carries the tag kubernetes.io/role/elb",
    "evidence": ["Service envoy: EnsuringLoadBalancer", "Service envoy: SyncLoadBalancerFailed"],
    "fix": "anyscale cloud setup --lb-subnet subnet-1 --name prod",
    "exit_code": 3,
}


def resource(
    change: str, title: str, key: str, reason: str, id: str | None = None, **more: Any
) -> dict[str, Any]:
    ownership = {"adopt": "adopted", "keep": "foreign", "refuse": "foreign"}.get(change, "ours")
    return {
        "key": key,
        "kind": key.split("/", maxsplit=1)[0],
        "title": title,
        "change": change,
        "reason": reason,
        "ownership": ownership,
        "id": id,
        **more,
    }


def summary(**counts: int) -> dict[str, int]:
    names = ("create", "update", "adopt", "keep", "none", "delete", "refuse")
    return {name: counts.get(name, 0) for name in names}


def plan() -> dict[str, Any]:
    bucket = "aws:s3-bucket/anyscale-prod-1f3a9c2e"
    return {
        "schema": "anyscale-k8s/plan/v1",
        "cloud": "prod",
        "checks": [
            {
                "code": "nodes",
                "title": "Nodes",
                "severity": "fatal",
                "status": "pass",
                "detail": "3",
                "evidence": [],
                "fix": "",
            },
            {
                "code": "gpu-quota",
                "title": "The region has room for GPUs",
                "severity": "warning",
                "status": "warn",
                "detail": "0 of 8 left",
                "evidence": [],
                "fix": "",
            },
        ],
        "summary": summary(create=4, update=1, adopt=1, none=1),
        "resources": [
            resource("create", "S3 bucket anyscale-prod-1f3a9c2e", bucket, "does not exist"),
            resource(
                "adopt",
                "IAM role operator",
                "aws:iam-role/operator",
                "it is yours: used as it is, and never changed",
                "role/operator",
            ),
            resource("create", "Anyscale cloud prod", "anyscale:cloud/prod", "does not exist"),
            resource(
                "create",
                "Gateway API definitions",
                "k8s:definitions/gateway.networking.k8s.io",
                "does not exist",
                ownership="shared",
            ),
            resource(
                "create", "Gateway", "k8s:gateway/anyscale-operator/gateway", "does not exist"
            ),
            resource(
                "update",
                "Operator release",
                "k8s:helm-release/anyscale-operator",
                "version: '1.7.0' → '1.8.0'",
                "anyscale-operator",
            ),
            resource(
                "none",
                "Namespace anyscale-operator",
                "k8s:namespace/anyscale-operator",
                "as it should be",
                "uid-1",
            ),
        ],
    }


_DEPLOYMENT = """\
@@ -6,3 +6,3 @@
     app.kubernetes.io/name: anyscale-operator
-    helm.sh/chart: anyscale-operator-1.7.0
+    helm.sh/chart: anyscale-operator-1.8.0
   name: anyscale-operator
@@ -28,7 +28,9 @@
         - name: ANYSCALE_TOKEN
-          value: (hidden)
+          value: (hidden, another)
-        image: us-docker.pkg.dev/anyscale-artifacts/public/kubernetes_manager:0123456789abcdef
+        image: us-docker.pkg.dev/anyscale-artifacts/public/kubernetes_manager:fedcba9876543210
         name: operator
+        - name: ONE
+          value: '1'
+        - name: TWO
+          value: '2'"""
_LABEL = """\
@@ -5,3 +5,3 @@
     app.kubernetes.io/name: anyscale-operator
-    helm.sh/chart: anyscale-operator-1.7.0
+    helm.sh/chart: anyscale-operator-1.8.0
   name: vector"""


def upgrade() -> dict[str, Any]:
    """A plan with what an upgrade makes of each object of a release."""
    namespace = "anyscale-operator"
    parts = [
        ("ConfigMap", "vector", namespace, "update", _LABEL),
        ("Deployment", "anyscale-operator", namespace, "update", _DEPLOYMENT),
        ("Role", "leases", namespace, "create", "@@ -0,0 +1,2 @@\n+kind: Role\n+rules: []"),
    ]
    names = ("kind", "name", "namespace", "change", "diff")
    release = resource(
        "update",
        "Anyscale operator",
        "helm:release/anyscale-operator/anyscale-operator",
        "chart version: '1.7.0' → '1.8.0'",
        "anyscale-operator",
        parts=[dict(zip(names, part, strict=True)) for part in parts],
    )
    return {**plan(), "checks": [], "summary": summary(update=1), "resources": [release]}


def setup() -> dict[str, Any]:
    document = plan()
    done = [
        {**item, "id": item["id"] or f"id-{number}", "result": "done", "seconds": 1.25}
        for number, item in enumerate(document["resources"])
    ]
    return {
        **document,
        "schema": "anyscale-k8s/setup/v1",
        "resources": done,
        "cloud_id": "cld_1",
        "cloud_resource_id": "cldrsrc_1",
        "operator_namespace": "anyscale-operator",
        "health": "HEALTHY",
        "seconds": 62.4,
    }


def registered() -> dict[str, Any]:
    document = plan()
    document["resources"] = [
        resource("adopt", "S3 bucket data", "s3-bucket", "you named it", ownership="adopted"),
        {
            **resource("create", "registration eks-1f3a9c2e", "anyscale:cloud-resource", "new"),
            "result": "done",
            "seconds": 0.2,
        },
    ]
    return {
        **document,
        "schema": "anyscale-k8s/register/v1",
        "left_out": [
            {
                "title": "Redis answers at redis.demo:6379",
                "reason": "only pods in the cluster reach it",
            }
        ],
        "cloud_id": "cld_1",
        "cloud_resource_id": "cldrsrc_1",
        "operator_namespace": "anyscale-operator",
        "health": None,
        "seconds": 0.4,
        "values": {"global": {"cloudDeploymentId": "cldrsrc_1"}},
        "values_file": "values.yaml",
        "manifests": [{"file": "1-namespace.yaml", "documents": [{"kind": "Namespace"}]}],
        "manifests_dir": None,
        "next": [{"title": "Apply the manifests", "command": "kubectl apply -f manifests"}],
    }


def failed_setup() -> dict[str, Any]:
    document = setup()
    operator = next(item for item in document["resources"] if item["change"] == "update")
    operator |= {"result": "failed"}
    return {**document, "health": "UNKNOWN", "error": ERROR}


def rotated() -> dict[str, Any]:
    name = "anyscale-prod-1f3a9c2e"
    account = resource(
        "none", f"Anyscale service account {name}", "anyscale:service-account", "as it should be"
    )
    key = resource("update", f"API key of {name}", "anyscale:api-key", "key: 'a' → 'a new one'")
    release = resource("update", "Anyscale operator", "helm:release", "values: set otherwise")
    return {
        "schema": "anyscale-k8s/rotate-token/v1",
        "cloud": "prod",
        "cloud_id": "cld_1",
        "provider": "generic",
        "region": "onprem",
        "cluster": "demo",
        "operator_namespace": "anyscale-operator",
        "summary": summary(update=2, none=1),
        "resources": [
            {**item, "id": "id-1", "result": "done", "seconds": 0.5}
            for item in (account, key, release)
        ],
        "key": {
            "id": "0f1e2d3c4b5a69788796a5b4c3d2e1f0",
            "expires_at": "2027-11-25T12:00:00+00:00",
        },
        "revoked": ["a1b2c3d4e5f60718293a4b5c6d7e8f90"],
        "health": "HEALTHY",
        "seconds": 41.0,
    }


def rotation_failed() -> dict[str, Any]:
    return {**rotated(), "revoked": [], "health": None, "error": ERROR}


def item(title: str, key: str, reason: str, command: str = "", **more: Any) -> dict[str, Any]:
    return {
        "key": key,
        "kind": key.split("/", maxsplit=1)[0],
        "title": title,
        "id": key.rsplit("/", maxsplit=1)[-1],
        "ownership": "ours",
        "reason": reason,
        "command": command,
        **more,
    }


def teardown() -> dict[str, Any]:
    return {
        "schema": "anyscale-k8s/delete/v1",
        "cloud_id": "cld_1",
        "remove": [item("IAM role", "aws:iam-role/anyscale-prod", "ours")],
        "removed": [],
        "kept": [
            item(
                "S3 bucket",
                "aws:s3-bucket/anyscale-prod-1f3a9c2e",
                "it holds your data (3 objects, 12 MB)",
                "anyscale cloud delete prod --delete-bucket anyscale-prod-1f3a9c2e",
            )
        ],
        "left": [],
    }


def deleted() -> dict[str, Any]:
    document = teardown()
    document["removed"] = document.pop("remove")
    return {**document, "seconds": 4.0}


def skipped() -> dict[str, Any]:
    """The cluster was not looked at."""
    document = deleted()
    gateway = item(
        "Gateway with its load balancer",
        "k8s:gateway/anyscale-operator/gateway",
        "not looked at (--skip-cluster); it stays if it is there",
        "anyscale cloud delete prod --region r",
    )
    return {**document, "kept": [gateway, *document["kept"]]}


def nothing_found() -> dict[str, Any]:
    return {
        "schema": "anyscale-k8s/delete/v1",
        "remove": [],
        "removed": [],
        "kept": [],
        "left": [],
        "searched": ["Anyscale: clouds named prod", "eks: account 123456789012, us-west-2"],
        "unsearched": ["gke: no credentials"],
    }


def unhealthy() -> dict[str, Any]:
    return {
        "schema": "anyscale-k8s/status/v1",
        "cloud": "prod",
        "cloud_id": "cld_1",
        "cloud_resource_id": "cldrsrc_1",
        "health": "DISCONNECTED",
        "checks": [
            {"code": "registered", "title": "Registered", "status": "pass", "detail": "cldrsrc_1"},
            {
                "code": "operator-running",
                "title": "The operator runs",
                "status": "fail",
                "detail": "0 of 1 pods are ready",
                "fix": "anyscale cloud setup --name prod",
            },
        ],
        "evidence": [
            "pod anyscale-operator-5d: 0/3 nodes are available",
            "OPERATOR_RUNNING: 0 of 1 pods are ready",
        ],
        "cause": "the operator's pod cannot be scheduled: too few CPUs",
        "command": "anyscale cloud setup --name prod",
    }


def mending() -> dict[str, Any]:
    """Its last report is older than what is broken."""
    return {**unhealthy(), "health": "HEALTHY"}


def healthy() -> dict[str, Any]:
    identity = "arn:aws:iam::123456789012:role/anyscale-k8s/prod/anyscale-prod-1f3a9c2e-operator"
    return {
        "schema": "anyscale-k8s/status/v1",
        "cloud": "prod",
        "cloud_id": "cld_1",
        "cloud_resource_id": "cldrsrc_1",
        "provider": "eks",
        "region": "us-west-2",
        "cluster": "arn:aws:eks:us-west-2:123456789012:cluster/demo",
        "operator_namespace": "anyscale-operator",
        "operator_version": "1.8.0",
        "reported_at": "2026-01-02T03:05:05.251+00:00",
        "health": "HEALTHY",
        "checks": [
            {
                "code": "IAM_IDENTITY",
                "title": "iam identity",
                "status": "pass",
                "detail": f"credentials from web identity token, role {identity}",
            }
        ],
        "cause": None,
        "evidence": [],
        "command": None,
    }


def featured() -> dict[str, Any]:
    """As `--features` adds them."""
    setup = "anyscale cloud setup --name prod"
    broken = "the operator is scaled to zero"
    told = (
        ("services", "Services", "works", "gate.elb.us-west-2.amazonaws.com", ""),
        ("shared-storage", "Shared storage", "no", broken, setup),
        ("spot", "Spot nodes", "no", broken, setup),
        (
            "head-node-fault-tolerance",
            "Head-node fault tolerance",
            "unknown",
            "redis.example.com:6379 is registered, and only a pod can tell whether it answers",
            "anyscale cloud verify prod --only pod-egress",
        ),
    )
    names = ("name", "title", "verdict", "detail", "fix")
    lines = [{**dict(zip(names, line, strict=True)), "checks": []} for line in told]
    return {**unhealthy(), "features": lines}


def clouds() -> dict[str, Any]:
    cloud = {
        "id": "cld_1",
        "name": "prod",
        "provider": "AWS",
        "platforms": ["eks"],
        "region": "us-west-2",
        "compute_stack": "K8S",
        "state": "ACTIVE",
        "is_default": True,
        "created_at": "2026-01-02T03:04:05+00:00",
    }
    return {"schema": "anyscale-k8s/list/v1", "clouds": [cloud]}


def worlds() -> dict[str, Any]:
    """One whose setup needs nothing else, and one that must be told more."""
    place = "--cluster-name demo --region us-west-2 --name try"
    found = [
        ("eks-auto-mode", "eks", "EKS Auto Mode, with its own load balancers", "", "HEALTHY"),
        (
            "oke-key-limit",
            "oke",
            "the user that is to be used has two customer secret keys already, and there may be no "
            "more",
            " --identity ocid1.user.oc1..08e40e0543a42b9f --tag 'team=a b'",
            "key-limit",
        ),
    ]
    return {
        "schema": "anyscale-k8s/sandbox-worlds/v1",
        "worlds": [
            {
                "name": name,
                "platforms": [platform],
                "about": about,
                "setup": f"--provider {platform} {place}{more}",
                "ends": ends,
            }
            for name, platform, about, more, ends in found
        ],
    }


def cloud() -> dict[str, Any]:
    return {
        "schema": "anyscale-k8s/get/v1",
        "cloud": clouds()["clouds"][0],
        "resources": [
            {
                "cloud_resource_id": "cldrsrc_1",
                "name": "eks-1f3a9c2e",
                "provider": "AWS",
                "region": "us-west-2",
                "compute_stack": "K8S",
                "is_default": True,
                "operator_status": "HEALTHY",
                "operator_version": "1.8.0",
                "reported_at": "2026-01-02T03:05:05+00:00",
                "object_storage": {"bucket_name": "s3://anyscale-prod-1f3a9c2e"},
                "kubernetes_config": {"zones": ["us-west-2a", "us-west-2b"]},
            }
        ],
    }


def mirrored() -> dict[str, Any]:
    """One chart that is here and one that is not, one image for all and one for some."""
    chart = {"source": "oci://charts.example/envoyproxy", "sha256": None, "when": None}
    return {
        "schema": "anyscale-k8s/mirror/v1",
        "provider": "eks",
        "charts": [
            {
                **chart,
                "name": "gateway-helm",
                "version": "v1.7.0",
                "sha256": "0" * 64,
                "command": "helm pull oci://charts.example/envoyproxy/gateway-helm",
                "here": True,
            },
            {
                **chart,
                "name": "nvidia-device-plugin",
                "version": "0.17.1",
                "when": "nodes have GPUs that nobody else serves",
                "command": "helm pull nvidia-device-plugin --repo https://charts.example",
                "here": False,
            },
        ],
        "images": [
            {
                "image": "docker.io/envoyproxy/gateway:v1.7.0",
                "digest": None,
                "target": "registry.example/mirror/envoyproxy/gateway:v1.7.0",
                "used_by": ["eg"],
                "when": None,
            },
            {
                "image": "tools.example/python:3",
                "digest": None,
                "target": None,
                "used_by": ["probe"],
                "when": "a pod is made to look",
            },
        ],
        "unknown": ["the images of nvidia-device-plugin: the chart is not on this machine"],
        "next": "anyscale mirror list --provider eks --fetch",
    }


def explained() -> dict[str, Any]:
    """One object that is there."""
    return {
        "schema": "anyscale-k8s/explain/v1",
        "provider": "eks",
        "cloud": "prod",
        "objects": [
            {
                **_told("aws:iam-oidc-provider/issuer", "IAM OIDC provider of cluster demo"),
                "state": "there",
                "id": "arn:aws:iam::123456789012:oidc-provider/issuer",
                "ownership": "shared",
                "owner": None,
                "users": ["cloud prod (install 1f3a9c2e)", "install 00aa11bb"],
                "needs": [],
                "needed_by": ["aws:iam-role/operator"],
                "drift": "client ids: 'none' → 'with sts.amazonaws.com'",
            }
        ],
    }


def declared() -> dict[str, Any]:
    """What there can be, of which nobody was asked."""
    told = [_told("aws:s3-bucket/<name>", "S3 bucket"), _told("k8s:gateway/<name>", "Gateway")]
    return {
        "schema": "anyscale-k8s/explain/v1",
        "provider": "eks",
        "cloud": None,
        "objects": told,
    }


def _told(key: str, title: str) -> dict[str, Any]:
    return {
        "key": key,
        "kind": key.partition("/")[0],
        "title": title,
        "why": f"The cloud needs the {title}.",
        "without": "Nothing works.",
        "deletion": {"fate": "shared", "text": "it goes with the last install"},
    }


def reviewed() -> dict[str, Any]:
    """A page with something in each of its parts."""
    namespace = "anyscale-operator"
    policy = {"name": "trust policy", "format": "AWS IAM policy", "text": '{"a": "```|<b>"}'}
    role = {"kind": "Role", "name": "operator", "namespace": namespace, "release": "ray/operator"}
    return {
        "schema": "anyscale-k8s/review/v1",
        "cloud": "prod",
        "provider": "eks",
        "namespace": namespace,
        "live": True,
        "account": "123456789012",
        "region": "us-west-2",
        "cluster": "demo",
        "identities": [
            {
                "title": "IAM role",
                "name": "<role> | a",
                "ownership": "ours",
                "rights": ["s3:GetObject"],
                "documents": [policy],
            }
        ],
        "kubernetes": [
            {**role, "rules": [{"apiGroups": [""], "resources": ["pods"], "verbs": ["get"]}]},
            {**role, "name": "gone", "rules": None},
        ],
        "secrets": [{"namespace": namespace, "name": "token", "holds": "a key"}],
        "network": {
            "exposure": "internal",
            "allow_cidrs": ["10.0.0.0/8"],
            "address": "lb.example.test",
            "listeners": [{"name": "http", "port": 80, "protocol": "HTTP", "hostname": None}],
            "load_balancers": [
                {
                    "service": "ray/proxy",
                    "annotations": {"scheme": "internal"},
                    "source_ranges": ["10.0.0.0/8"],
                    "ports": [80],
                }
            ],
            "ports": [
                {"namespace": namespace, "container": "operator", "port": 8081, "protocol": "TCP"}
            ],
        },
        "egress": [{"host": "console.example.test", "from": "operator", "why": "polling"}],
        "images": [{"namespace": namespace, "image": "one:1", "digest": "sha256:1a"}],
        "outside": [{"who": "Anyscale", "may": "tell the operator what to run"}],
        "data": [
            {
                "bucket": "s3://logs",
                "region": "us-west-2",
                "ownership": "adopted",
                "protection": {"encryption": "AES256"},
            }
        ],
        "setup": {
            "command": "anyscale cloud permissions --provider eks",
            "documents": [{"name": "setup", "format": "AWS IAM policy", "text": "{}"}],
        },
        "unknown": ["managed identity: denied"],
    }
