"""What the objects that every platform gets are there for: in the cluster, and at Anyscale."""

from __future__ import annotations

from anyscale_k8s_cli.addons import gateway_controller, gpu, nginx
from anyscale_k8s_cli.addons.gateway_definitions import ENVOY_GATEWAY, GATEWAY_API
from anyscale_k8s_cli.addons.names import (
    GATEWAY,
    OPERATOR_RELEASE,
    SERVICE_ACCOUNT,
    WORKLOAD_ACCOUNT,
)
from anyscale_k8s_cli.addons.pod_settings import CA_BUNDLE
from anyscale_k8s_cli.purpose import Fate, Purpose
from anyscale_k8s_cli.resource import INGRESS_KIND

PURPOSES = (
    Purpose(
        "anyscale:cloud",
        "anyscale:cloud/<name>",
        "Anyscale's record of the cloud",
        "People and workloads choose this cloud by its name in the console.",
        "Nobody can start anything on the cluster: for Anyscale there is no such cloud.",
        Fate.SHARED,
    ),
    Purpose(
        "anyscale:cloud-resource",
        "anyscale:cloud-resource/<provider>-<id>",
        "registration of the cluster in the cloud",
        "It tells Anyscale where the bucket is and which identity the operator must have.",
        "The operator is refused, since nobody knows who it is, and the cloud becomes unhealthy.",
    ),
    Purpose(
        "k8s:namespace",
        "k8s:namespace/<namespace>",
        "namespace of the operator",
        "The operator, Ray's pods and their Secrets live in it, apart from everything else.",
        "All of them are gone with it, running workloads too.",
        Fate.SHARED,
    ),
    Purpose(
        "k8s:object",
        f"k8s:serviceaccount/<namespace>/{SERVICE_ACCOUNT}",
        "service account of the operator",
        "The operator and Ray's pods run as it; by it a platform knows whose tokens they show.",
        "No pod of them starts any more, and none gets into the bucket by workload identity.",
    ),
    Purpose(
        "k8s:object",
        f"k8s:serviceaccount/<namespace>/{WORKLOAD_ACCOUNT}",
        "service account of Ray's pods",
        "With --workload-identity separate Ray's pods run as it, with rights at the bucket alone.",
        "No pod of a job starts any more; the operator goes on.",
    ),
    Purpose(
        "helm:release",
        f"helm:release/<namespace>/{OPERATOR_RELEASE}",
        "Anyscale operator",
        "It makes pods of what Anyscale asks for, and reports how they are.",
        "Nothing starts, stops or is reported; what runs goes on without anybody looking after it.",
    ),
    Purpose(
        "k8s:gateway",
        "k8s:gateway/<namespace>/<name>",
        "Gateway, with its load balancer",
        "Users reach notebooks, dashboards and services through its address.",
        "Nothing that runs can be reached from outside; a new one has another address.",
    ),
    Purpose(
        INGRESS_KIND,
        f"{INGRESS_KIND}/<namespace>/{nginx.RELEASE}",
        "controller of Ingresses, with its load balancer",
        "Users reach notebooks, dashboards and services through it, where you chose nginx.",
        "Nothing that runs can be reached from outside; a new one has another address.",
    ),
    Purpose(
        "address",
        "address/<host>",
        "your own way in",
        "You told where users come in, and Anyscale publishes their addresses there.",
        "Nothing that runs can be reached from outside.",
        Fate.UNTOUCHED,
    ),
    Purpose(
        "k8s:object",
        "k8s:gatewayclass/<name>",
        "class of the Gateway",
        "It says which controller serves the Gateway, and with which settings.",
        "No controller looks after the Gateway: changes to routes have no effect.",
    ),
    Purpose(
        "k8s:object",
        f"k8s:envoyproxy/<namespace>/{GATEWAY}",
        "settings of the Gateway's proxy",
        "It says how the load balancer is asked for: public or internal, and whom it lets in.",
        "The next load balancer is asked for without them, and may be open where it was not.",
    ),
    Purpose(
        "helm:release",
        f"helm:release/{gateway_controller.NAMESPACE}/{gateway_controller.RELEASE}",
        "controller of the Gateway",
        "Envoy Gateway runs the proxies and gives them the routes that the operator makes.",
        "Proxies that run keep their routes; no new session or service can be reached.",
        Fate.SHARED,
    ),
    Purpose(
        "k8s:namespace",
        f"k8s:namespace/{gateway_controller.NAMESPACE}",
        "namespace of the Gateway's controller",
        "The controller and the proxies run in it.",
        "The proxies are gone with it, and with them every way in.",
        Fate.SHARED,
    ),
    Purpose(
        "k8s:definitions",
        f"k8s:definitions/{GATEWAY_API}",
        "definitions of the Gateway API",
        "They let Kubernetes know what Gateways and routes are.",
        "Every Gateway and route of the cluster is gone with them, those of others too.",
        Fate.SHARED,
    ),
    Purpose(
        "k8s:definitions",
        f"k8s:definitions/{ENVOY_GATEWAY}",
        "definitions of Envoy Gateway",
        "They let Kubernetes know the settings that proxies of Envoy Gateway have.",
        "The settings of all its proxies are gone with them, and the controller does not start.",
        Fate.SHARED,
    ),
    Purpose(
        "helm:release",
        f"helm:release/{gpu.NAMESPACE}/{gpu.RELEASE}",
        "NVIDIA's device plugin",
        "It tells Kubernetes which nodes have GPUs, where the platform brings nothing that does.",
        "Pods that ask for a GPU wait for ever, with GPUs idle.",
        Fate.SHARED,
    ),
    Purpose(
        "k8s:namespace",
        f"k8s:namespace/{gpu.NAMESPACE}",
        "namespace of NVIDIA's device plugin",
        "The device plugin runs in it.",
        "The plugin is gone with it: no new pod gets a GPU.",
        Fate.SHARED,
    ),
    Purpose(
        "k8s:file-storage",
        "k8s:persistentvolumeclaim/<namespace>/<name>",
        "claim for shared storage",
        "Ray's pods mount it as the storage that they share.",
        "Pods that mount it do not start.",
        Fate.UNTOUCHED,
    ),
    Purpose(
        "k8s:file-storage",
        "k8s:csidriver/<name>",
        "driver of shared storage",
        "Ray's pods mount the storage that they share through it.",
        "Pods that mount such storage do not start.",
        Fate.UNTOUCHED,
    ),
    Purpose(
        "k8s:object",
        f"k8s:configmap/<namespace>/{CA_BUNDLE}",
        "authorities that the operator trusts",
        "You gave them (--ca-bundle): behind your proxy Anyscale shows a certificate of theirs.",
        "The operator's next pod does not start.",
    ),
    Purpose(
        "k8s:object",
        "k8s:job/<namespace>/<name>",
        "Job of a probe that was killed",
        "A check runs it for a moment; only a run that was killed leaves one.",
        "Nothing breaks.",
    ),
    Purpose(
        "k8s:object",
        "k8s:configmap/<namespace>/<name>",
        "program of a probe that was killed",
        "The Job of a check runs it; only a run that was killed leaves one.",
        "Nothing breaks.",
    ),
)

# Where no platform vouches for the operator and its pods.
WITHOUT_IDENTITY = (
    Purpose(
        "anyscale:service-account",
        "anyscale:service-account/<name>",
        "Anyscale's service account for the operator",
        "The operator signs in at Anyscale as it, and as no person.",
        "Its key ends with it, and the operator is refused.",
    ),
    Purpose(
        "anyscale:api-key",
        "anyscale:api-key/<name>",
        "key of the operator's service account",
        "The operator shows it at Anyscale, because the platform does not vouch for it.",
        "The operator is refused until `anyscale cloud rotate-token` gives it another.",
    ),
    Purpose(
        "anyscale:own-token",
        "anyscale:own-token/<provider>-<id>",
        "your own Anyscale token",
        "You asked for the operator to sign in as you (--use-my-token).",
        "The operator is refused as soon as your token ends.",
        Fate.UNTOUCHED,
    ),
    Purpose(
        "storage-keys",
        "storage-keys/<name>",
        "your keys of the object store",
        "You gave them, for the operator and Ray's pods to get into the bucket.",
        "Nothing can be written to the bucket or read from it any more.",
        Fate.UNTOUCHED,
    ),
    Purpose(
        "k8s:object",
        "k8s:secret/<namespace>/<name>",
        "Secret with the credentials of the object store",
        "The operator and Ray's pods mount it, and get into the bucket with what is in it.",
        "Pods that mount it do not start; for keys that were issued, others must be.",
    ),
)
