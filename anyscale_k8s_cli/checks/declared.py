"""The checks that hold on every platform. A provider declares its own likewise."""

from __future__ import annotations

from anyscale_k8s_cli import errors
from anyscale_k8s_cli.checks import AFTER, ANY_TIME, BEFORE, Check, Need, Severity, When

_CLUSTER = frozenset({Need.CLUSTER})
_INSTALLED = frozenset({Need.CLUSTER, Need.OPERATOR})

# What cannot be well without the thing that is named: each fault is told by one check.
WITHOUT_OPERATOR = frozenset({"operator-health", "operator-holds-identity"})
WITHOUT_IDENTITY = WITHOUT_OPERATOR | {
    *("operator-workload", "pod-storage", "storage-console", "storage-cors"),
}
WITHOUT_STORAGE = frozenset(
    {"operator-health", "operator-workload", "pod-storage", "storage-console"}
)

CLUSTER_REACHABLE = Check(
    "cluster-reachable",
    "The cluster answers and knows who is asking",
    ANY_TIME,
    _CLUSTER,
    error=errors.CLUSTER_UNREACHABLE,
)
CONTROL_PLANE_REACHABLE = Check(
    "control-plane-reachable",
    "Anyscale's control plane answers this machine",
    ANY_TIME,
    frozenset({Need.CONTROL_PLANE}),
    error=errors.CONTROL_PLANE_UNREACHABLE,
)
CLUSTER_VERSION = Check(
    "cluster-version",
    "The Kubernetes version is one that was tested",
    ANY_TIME,
    _CLUSTER,
)
CLUSTER_RIGHTS = Check(
    "cluster-rights",
    "Everything that setup writes may be written",
    BEFORE,
    _CLUSTER,
    error=errors.CLUSTER_FORBIDDEN,
)
NAMESPACE_POD_SECURITY = Check(
    "namespace-pod-security",
    "Privileged pods may run in the operator's namespace",
    ANY_TIME,
    _CLUSTER,
    error=errors.ADOPTED_UNFIT,
    breaks=WITHOUT_OPERATOR | {"operator-workload"},
)
# What is asked of a plan: what it would write is tried, and not done.
_REHEARSED = frozenset({When.SETUP})
CHARTS_AVAILABLE = Check(
    "charts-available",
    "The charts that are to be installed can be fetched",
    _REHEARSED,
    _CLUSTER,
    error=errors.CHART_UNAVAILABLE,
)
NAMESPACE_LIMITS = Check(
    "namespace-limits",
    "Quotas and limit ranges have room for what setup brings",
    _REHEARSED,
    _CLUSTER,
    error=errors.ADMISSION_DENIED,
)
CLUSTER_ADMISSION = Check(
    "cluster-admission",
    "No rule in the cluster forbids what setup writes",
    _REHEARSED,
    _CLUSTER,
    error=errors.ADMISSION_DENIED,
)
REHEARSED = (CHARTS_AVAILABLE, NAMESPACE_LIMITS, CLUSTER_ADMISSION)
OPERATOR_CAPACITY = Check(
    "operator-capacity",
    "A node has room for the operator",
    BEFORE,
    _CLUSTER,
)
IMAGE_PULL_SECRETS = Check(
    "image-pull-secrets",
    "The Secrets that images are pulled with are there",
    ANY_TIME,
    _CLUSTER,
    error=errors.ADOPTED_UNFIT,
    breaks=WITHOUT_OPERATOR | {"operator-workload"},
)
POD_SETTINGS = Check(
    "pod-settings",
    "What was said of pods reaches every one",
    frozenset({When.SETUP}),
    _CLUSTER,
    error=errors.INVALID_SPEC,
)
OPERATOR_TYPES = Check(
    "operator-types",
    "The operator has its table of instance types",
    frozenset({When.VERIFY}),
    _INSTALLED,
    breaks=frozenset({"instance-types-fit", "operator-health", "operator-webhook"}),
)
INSTANCE_TYPES_FIT = Check(
    "instance-types-fit",
    "Some node can satisfy each instance type",
    ANY_TIME,
    _CLUSTER,
)
OPERATOR_TOKEN = Check(
    "operator-token",
    "The operator's token is valid",
    BEFORE | AFTER,
    frozenset({Need.CLUSTER, Need.CONTROL_PLANE}),
    error=errors.TOKEN_LIFETIME,
    breaks=WITHOUT_OPERATOR | {"operator-workload"},
)
OPERATOR_REGISTRATION = Check(
    "operator-registration",
    "The operator is bound to the registration",
    AFTER,
    _INSTALLED | {Need.CLOUD, Need.CONTROL_PLANE},
    breaks=WITHOUT_IDENTITY | {"operator-webhook"},
)
OPERATOR_IDENTITY = Check(
    "operator-identity",
    "The operator's identity admits it",
    AFTER,
    frozenset({Need.CLOUD}),
    breaks=WITHOUT_IDENTITY,
)
OPERATOR_STORAGE = Check(
    "operator-storage",
    "The bucket is there and fits",
    AFTER,
    frozenset({Need.CLOUD, Need.CONTROL_PLANE}),
    breaks=WITHOUT_STORAGE,
)
OPERATOR_GATEWAY = Check(
    "operator-gateway",
    "Users reach the gateway where it is told",
    AFTER,
    _INSTALLED,
    breaks=WITHOUT_OPERATOR | {"gateway-listeners", "operator-workload"},
)
OPERATOR_WORKLOAD = Check(
    "operator-workload", "The operator runs", AFTER, _INSTALLED, breaks=WITHOUT_OPERATOR
)
RELEASES_UP = Check(
    "releases-up", "The releases are deployed and up", AFTER, _INSTALLED, Severity.WARNING
)

_VERIFY = frozenset({When.VERIFY})

CLOUD_REGISTERED = Check(
    "cloud-registered",
    "The cluster is registered in the cloud",
    _VERIFY,
    frozenset({Need.CONTROL_PLANE}),
)
OPERATOR_HEALTH = Check(
    "operator-health",
    "The operator reports that it is well",
    _VERIFY,
    frozenset({Need.CONTROL_PLANE}),
)
OPERATOR_HOLDS_IDENTITY = Check(
    "operator-holds-identity",
    "The operator holds the identity that is registered",
    _VERIFY,
    _INSTALLED | {Need.CONTROL_PLANE},
)
OPERATOR_RIGHTS = Check(
    "operator-rights",
    "The operator may do in the cluster what its chart grants",
    _VERIFY,
    _INSTALLED,
    breaks=WITHOUT_OPERATOR | {"operator-workload"},
)
OPERATOR_WEBHOOK = Check(
    "operator-webhook",
    "The API server reaches the webhook that judges instance types",
    _VERIFY,
    _INSTALLED | {Need.CONTROL_PLANE},
)
STORAGE_CONSOLE = Check(
    "storage-console",
    "The control plane can write and read the bucket",
    _VERIFY,
    frozenset({Need.CONTROL_PLANE}),
    breaks=frozenset({"operator-health"}),
)
STORAGE_CORS = Check(
    "storage-cors",
    "The console's pages may read the bucket (CORS)",
    _VERIFY,
    frozenset({Need.CONTROL_PLANE}),
    breaks=frozenset({"operator-storage"}),
)
GATEWAY_ADDRESS = Check(
    "gateway-address",
    "DNS leads to the gateway",
    _VERIFY,
    _INSTALLED,
)
GATEWAY_LISTENERS = Check(
    "gateway-listeners",
    "The gateway serves every listener",
    _VERIFY,
    _CLUSTER,
)
GATEWAY_CERTIFICATES = Check(
    "gateway-certificates",
    "The gateway's certificates are valid",
    _VERIFY,
    _CLUSTER,
    breaks=frozenset({"gateway-listeners"}),
)
GPU_PLUGIN = Check(
    "gpu-plugin",
    "The GPUs of nodes that have them can be asked for",
    _VERIFY,
    _CLUSTER,
    breaks=frozenset({"gpu-labels", "instance-types-fit"}),
)
GPU_LABELS = Check(
    "gpu-labels",
    "Nodes with GPUs carry the label by which pods find them",
    _VERIFY,
    _CLUSTER,
    Severity.WARNING,
    breaks=frozenset({"instance-types-fit"}),
)
ADDON_VERSIONS = Check(
    "addon-versions",
    "What is installed was tested together",
    _VERIFY,
    _CLUSTER,
    Severity.WARNING,
)
DRIFT = Check(
    "drift",
    "Everything that setup made is as setup made it",
    _VERIFY,
    _INSTALLED | {Need.CLOUD, Need.CONTROL_PLANE},
)
KEPT_OBJECTS = Check(
    "kept-objects",
    "What belongs to others and is used is known",
    _VERIFY,
    _INSTALLED | {Need.CLOUD, Need.CONTROL_PLANE},
    Severity.WARNING,
)
_PROBE = frozenset({When.PROBE, When.VERIFY})

POD_STORAGE = Check(
    "pod-storage",
    "A pod with the workloads' identity can use the bucket",
    _PROBE,
    _INSTALLED | {Need.POD},
    breaks=frozenset({"operator-health", "storage-console"}),
)
POD_EGRESS = Check(
    "pod-egress",
    "Pods reach the hosts that they need",
    _PROBE,
    _INSTALLED | {Need.POD},
)
INGRESS_CLASS = Check(
    "ingress-class",
    "Your own controller has the class of the operator's Ingresses",
    BEFORE,
    _CLUSTER,
    Severity.WARNING,
)
INGRESS_NGINX_SUPPORT = Check(
    "ingress-nginx-support",
    "The controller of Ingresses is maintained",
    ANY_TIME,
    severity=Severity.WARNING,
)
INGRESS_NGINX_SNIPPETS = Check(
    "ingress-nginx-snippets",
    "Few may write configuration for nginx",
    ANY_TIME,
    _CLUSTER,
    Severity.WARNING,
)
BY_POD = (POD_STORAGE, POD_EGRESS)

FUNCTIONAL_JOB = Check(
    "functional-job",
    "A pod as the workloads' does its work",
    _VERIFY,
    _INSTALLED | {Need.POD},
)
FUNCTIONAL_GPU = Check(
    "functional-gpu",
    "A pod with a GPU of each kind sees it",
    _VERIFY,
    _INSTALLED | {Need.POD},
)

_MACHINE = frozenset({When.DOCTOR})
MACHINE_SCRIPT = Check(
    "machine-script",
    "The name that is typed leads to this tool",
    _MACHINE,
    severity=Severity.WARNING,
)
MACHINE_TERMINAL = Check(
    "machine-terminal",
    "The terminal shows what is written",
    _MACHINE,
    severity=Severity.WARNING,
)
MACHINE_PROXY = Check("machine-proxy", "What proxies are set can be used", _MACHINE)
MACHINE_CERTIFICATES = Check(
    "machine-certificates", "The bundles of certificate authorities can be read", _MACHINE
)
MACHINE_CONTROL_PLANE = Check(
    "machine-control-plane",
    "Anyscale's control plane answers",
    _MACHINE,
    frozenset({Need.CONTROL_PLANE}),
)
MACHINE_CLOCK = Check(
    "machine-clock", "The clock is right", _MACHINE, frozenset({Need.CONTROL_PLANE})
)
MACHINE_LOGIN = Check(
    "machine-login",
    "Anyscale knows who you are",
    _MACHINE,
    frozenset({Need.CONTROL_PLANE}),
)
MACHINE_CREDENTIALS = Check(
    "machine-credentials",
    "Some platform knows who you are",
    _MACHINE,
    frozenset({Need.CLOUD}),
    Severity.WARNING,
)
MACHINE_HELM = Check("machine-helm", "There is a helm to run", _MACHINE)

CHECKS = (
    MACHINE_SCRIPT,
    MACHINE_TERMINAL,
    MACHINE_PROXY,
    MACHINE_CERTIFICATES,
    MACHINE_CONTROL_PLANE,
    MACHINE_CLOCK,
    MACHINE_LOGIN,
    MACHINE_CREDENTIALS,
    MACHINE_HELM,
    CLOUD_REGISTERED,
    OPERATOR_HEALTH,
    CONTROL_PLANE_REACHABLE,
    CLUSTER_REACHABLE,
    CLUSTER_VERSION,
    CLUSTER_RIGHTS,
    NAMESPACE_POD_SECURITY,
    *REHEARSED,
    OPERATOR_CAPACITY,
    IMAGE_PULL_SECRETS,
    POD_SETTINGS,
    OPERATOR_TYPES,
    INSTANCE_TYPES_FIT,
    OPERATOR_REGISTRATION,
    OPERATOR_IDENTITY,
    OPERATOR_TOKEN,
    OPERATOR_STORAGE,
    OPERATOR_GATEWAY,
    OPERATOR_WORKLOAD,
    RELEASES_UP,
    OPERATOR_HOLDS_IDENTITY,
    OPERATOR_RIGHTS,
    OPERATOR_WEBHOOK,
    STORAGE_CONSOLE,
    STORAGE_CORS,
    GATEWAY_ADDRESS,
    GATEWAY_LISTENERS,
    GATEWAY_CERTIFICATES,
    INGRESS_CLASS,
    INGRESS_NGINX_SUPPORT,
    INGRESS_NGINX_SNIPPETS,
    GPU_PLUGIN,
    GPU_LABELS,
    ADDON_VERSIONS,
    DRIFT,
    KEPT_OBJECTS,
    *BY_POD,
    FUNCTIONAL_JOB,
    FUNCTIONAL_GPU,
)
