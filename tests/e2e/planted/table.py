"""The faults: what is planted on which platform, who must tell of it, and what mends it.

Those in one bracket are planted together: none of them hides another.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from anyscale_k8s_cli.sandbox.world import PlatformName
from tests.e2e.planted import in_cluster as cluster
from tests.e2e.planted.in_clouds import (
    denied,
    denied_by_policy,
    emptied,
    google_bucket,
    no_cors,
    no_keys,
    no_role_policy,
    no_versions,
    other_keys,
)
from tests.e2e.planted.in_cluster import broken, patch
from tests.e2e.planted.site import CORE, Fault

ENFORCE = "pod-security.kubernetes.io/enforce"

# What is so in a healthy install of the sandbox.
ALWAYS: Mapping[str, set[str]] = {"oke": {"storage-cors"}}
FAULTS: Mapping[PlatformName, Sequence[Sequence[Fault]]] = {
    "eks": (
        (
            Fault(
                "role's trust",
                broken("role-trust"),
                "operator-identity",
                "-operator: trust policy: 'for system:serviceaccount:elsewhere:nobody' → "
                "'for system:serviceaccount:anyscale-operator:anyscale-operator'",
            ),
            Fault("role's policy", no_role_policy, "operator-identity", "permissions policy"),
            Fault(
                "another identity",
                cluster.another_identity("arn:aws:iam::284710593866:role/elsewhere"),
                "operator-registration",
                "role/elsewhere",
            ),
            Fault("bucket's versions", no_versions, "operator-storage", "versioning: 'Suspended'"),
            Fault(
                "other bucket",
                cluster.another_bucket("s3://elsewhere"),
                "operator-registration",
                "s3://elsewhere",
            ),
        ),
        (
            Fault("OIDC provider", broken("oidc-provider"), "operator-identity", "OIDC provider"),
            Fault("bucket", broken("bucket"), "operator-storage", "it does not exist any more"),
            Fault("key", broken("kms-key", "kms-key"), "aws-kms-key", "is Disabled", "aws kms"),
            Fault(
                "load balancer",
                broken("load-balancer", "load-balancer"),
                "operator-gateway",
                "nobody answers for Service",
                "kubectl ",
            ),
        ),
        (
            Fault("device plugin", cluster.no_plugin, "gpu-plugin", "no device plugin is there"),
            Fault("image", cluster.other_image, "operator-workload", "ImagePullBackOff"),
        ),
        (Fault("CORS", no_cors, "storage-cors", "in a browser"),),
        (Fault("bucket's policy", denied, "pod-storage", "s3:PutObject", probe=True),),
    ),
    "gke": (
        (
            Fault(
                "account's binding", broken("role-trust"), "operator-identity", "workloadIdentity"
            ),
            Fault(
                "tokens for itself", broken("token-creator"), "operator-identity", "TokenCreator"
            ),
            Fault(
                "metadata servers",
                broken("workload-identity", "workload-identity"),
                "gke-workload-identity",
                "no node pool has GKE's metadata server",
                "gcloud container node-pools update",
            ),
        ),
        (
            Fault(
                "service account", broken("service-account"), "operator-identity", "does not exist"
            ),
            Fault("bucket", broken("bucket"), "operator-storage", "it does not exist any more"),
            Fault("gateway", cluster.no_gateway, "operator-gateway", "is not there"),
            Fault("rights", cluster.fewer_rights, "operator-rights", "secrets"),
        ),
        (
            Fault(
                "role on the bucket",
                broken("bucket-access"),
                "operator-identity",
                "access to bucket",
            ),
            Fault(
                "old certificate",
                cluster.certificate("*.i.anyscaleuserdata.com", days=-1),
                "gateway-certificates",
                "it expired on",
                "the operator renews it",
            ),
        ),
        (
            Fault("CORS", google_bucket({"cors": []}), "storage-cors", "in a browser"),
            Fault(
                "label of a node",
                cluster.other_label("cloud.google.com/gke-accelerator"),
                "gpu-labels",
                "no cloud.google.com/gke-accelerator",
            ),
        ),
    ),
    "aks": (
        (
            Fault("issuer", broken("issuer"), "operator-identity", "whose tokens it trusts"),
            Fault(
                "client registered",
                broken("client-registered"),
                "operator-registration",
                "anyscale_operator_iam_identity",
            ),
            Fault(
                "Anyscale in the directory",
                broken("tenant", "tenant"),
                "azure-anyscale-in-tenant",
                "AADSTS500011",
                "az ad sp create",
            ),
        ),
        (
            Fault("subject", broken("role-trust"), "operator-identity", "elsewhere:nobody"),
            Fault("account", broken("storage-account"), "operator-storage", "not exist"),
        ),
        (
            Fault("identity", broken("identity"), "operator-identity", "does not exist"),
            Fault("container", broken("bucket"), "operator-storage", "container: 'absent'"),
        ),
        (
            Fault(
                "role on the account",
                broken("bucket-access"),
                "operator-identity",
                "access to storage account",
            ),
            Fault(
                "workload identity",
                broken("workload-identity", "workload-identity"),
                "aks-workload-identity",
                "no workload identity",
                "az aks update",
            ),
        ),
    ),
    "nebius": (
        (
            Fault("key of the store", broken("storage-key"), "operator-storage", "key"),
            Fault(
                "operator's key",
                cluster.key_revoked,
                "operator-token",
                "is revoked",
                "anyscale cloud rotate",
            ),
        ),
        (
            Fault(
                "role on the bucket",
                broken("bucket-access"),
                "operator-storage",
                "with access to the bucket",
            ),
            Fault(
                "operator's key ends",
                cluster.key_about_to_end,
                "operator-token",
                "it expires on",
                "anyscale cloud rotate",
            ),
        ),
    ),
    "coreweave": (
        (
            Fault("key of the store", broken("storage-key"), "operator-storage", "key"),
            Fault(
                "webhook's address",
                cluster.webhook_to_nowhere,
                "operator-webhook",
                "127.0.0.1:9",
                "let the cluster's API server",
            ),
        ),
        (Fault("policy", broken("bucket-access"), "operator-storage", "policy"),),
        (
            Fault(
                "denied",
                denied_by_policy,
                "coreweave-policy-denies",
                "quarantine: hands-off",
                "except the bucket",
            ),
        ),
        (
            Fault("scaled to zero", cluster.scaled_to_zero, "operator-workload", "scaled to zero"),
            Fault("webhook", cluster.no_webhook, "operator-webhook", "there is no Validating"),
        ),
    ),
    "oke": (
        (
            Fault("key of the store", broken("storage-key"), "operator-storage", "key"),
            Fault(
                "certificate of another name",
                cluster.certificate("elsewhere.example.com"),
                "gateway-certificates",
                "it is not for *.i.anyscaleuserdata.com",
                "the operator renews it",
            ),
            Fault("class", cluster.without_its_class, "operator-gateway", "GatewayClass"),
            Fault("token reviews", cluster.unbound, "operator-rights", "tokenreviews"),
        ),
        (
            Fault("policy", broken("bucket-access"), "operator-storage", "policy"),
            Fault("reference", cluster.wrong_reference, "gateway-listeners", "ResolvedRefs"),
        ),
    ),
    "generic": (
        (
            Fault("bucket", emptied, "operator-storage", "it does not exist any more"),
            Fault("keys of others", other_keys, "drift", "anyscale-aws-credentials"),
            Fault("large type", cluster.too_large, "instance-types-fit", "huge", "add such nodes"),
        ),
        (
            Fault("keys", no_keys, "drift", "anyscale-aws-credentials"),
            Fault("types", cluster.no_types, "operator-types", "no table of instance types"),
            Fault(
                "level of the namespace",
                patch(CORE, {"metadata": {"labels": {ENFORCE: "baseline"}}}),
                "drift",
                f'metadata.labels["{ENFORCE}"]',
            ),
            Fault("no room", cluster.large_operator, "operator-workload", "Unschedulable: 0/"),
        ),
    ),
}
