"""What somebody may do to an install in its cluster, and in Anyscale's records: on any platform."""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import trustme
import yaml

from tests.e2e.planted.site import CORE, OPERATOR, SPACE, Plant, Site
from tests.processes import eventually

GATEWAY_API = "/apis/gateway.networking.k8s.io/v1"
GATEWAY = f"{GATEWAY_API}/namespaces/{SPACE}/gateways/gateway"
CLASSES = f"{GATEWAY_API}/gatewayclasses"
RIGHTS = "/apis/rbac.authorization.k8s.io/v1"
HOOK = (
    "/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations/"
    f"anyscale-operator-{SPACE}"
)
PLUGIN = "/apis/apps/v1/namespaces/nvidia-device-plugin/daemonsets/nvdp-nvidia-device-plugin"
CONTROLLER = "/apis/apps/v1/namespaces/envoy-gateway-system/deployments/envoy-gateway"
TYPES = f"{CORE}/configmaps/instance-types"
NODES = "/api/v1/nodes"
GPU = "nvidia.com/gpu"


def patch(path: str, change: Mapping[str, Any]) -> Plant:
    return lambda site: site.patch(path, change)


def delete(path: str) -> Plant:
    def plant(site: Site) -> None:
        site.delete(path)
        eventually(lambda: not site.exists(path))

    return plant


def broken(what: str, mend: str = "") -> Plant:
    """A break of the stand-ins; `mend` is what somebody else puts right again."""

    def plant(site: Site) -> Callable[[], object] | None:
        site.break_(what)
        return (lambda: site.mend(mend)) if mend else None

    return plant


# -- the operator ------------------------------------------------------------------------


scaled_to_zero = patch(OPERATOR, {"spec": {"replicas": 0}})


def other_image(site: Site) -> None:
    pod = site.get(OPERATOR)["spec"]["template"]["spec"]
    for container in pod["containers"]:
        if container["name"] == "operator":
            container["image"] = "registry.example/no-such-image:1"
    site.patch(OPERATOR, {"spec": {"template": {"spec": {"containers": pod["containers"]}}}})
    eventually(lambda: "ImagePullBackOff" in site.kubernetes.get(f"{CORE}/pods").text)


def large_operator(site: Site) -> None:
    """Somebody gives the operator more than any node has."""
    pod = site.get(OPERATOR)["spec"]["template"]["spec"]
    for container in pod["containers"]:
        container["resources"] = {"requests": {"cpu": "4096"}}
    site.patch(OPERATOR, {"spec": {"template": {"spec": {"containers": pod["containers"]}}}})
    eventually(lambda: "Unschedulable" in site.kubernetes.get(f"{CORE}/pods").text)


def fewer_rights(site: Site) -> None:
    role = f"{RIGHTS}/namespaces/{SPACE}/roles/anyscale-operator"
    rules = site.get(role)["rules"]
    rules[0]["resources"].remove("secrets")
    site.patch(role, {"rules": rules})


unbound = delete(f"{RIGHTS}/clusterrolebindings/anyscale-operator-token-reviewer-{SPACE}")


def webhook_to_nowhere(site: Site) -> None:
    hooks = site.get(HOOK)["webhooks"]
    hooks[0]["clientConfig"]["url"] = "http://127.0.0.1:9/admission"
    site.patch(HOOK, {"webhooks": hooks})


no_webhook = delete(HOOK)


def too_large(site: Site) -> None:
    """Somebody edits the table of instance types."""
    wish = {"huge": {"resources": {"CPU": 4096, "memory": "8Ti"}}}
    site.patch(TYPES, {"data": {"instance_types.yaml": yaml.safe_dump(wish)}})


no_types = delete(TYPES)


# -- the gateway -------------------------------------------------------------------------


def wrong_reference(site: Site) -> None:
    """The id with its underscore, which the API takes and nobody can resolve."""
    listeners = site.get(GATEWAY)["spec"]["listeners"]
    [https] = [item for item in listeners if item["name"] == "https"]
    name = f"anyscale-{site.registered['cloud_resource_id']}-certificate"
    https["tls"]["certificateRefs"][0]["name"] = name
    site.patch(GATEWAY, {"spec": {"listeners": listeners}})
    eventually(lambda: is_seen(site))


def is_seen(site: Site) -> bool:
    """Whether the gateway's controller has answered the last change."""
    gateway = site.get(GATEWAY)
    seen = {item["observedGeneration"] for item in gateway["status"]["conditions"]}
    return seen == {gateway["metadata"]["generation"]}


def without_its_class(site: Site) -> None:
    path = f"{CLASSES}/{site.get(GATEWAY)['spec']['gatewayClassName']}"
    site.patch(path, {"metadata": {"finalizers": None}})
    site.delete(path)


no_gateway = delete(GATEWAY)


def certificate(host: str, *, days: int = 90) -> Plant:
    """Somebody puts a certificate of another name, or an old one, in place of the operator's."""

    def plant(site: Site) -> Callable[[], object]:
        name = f"anyscale-{site.registered['cloud_resource_id'].replace('_', '-')}-certificate"
        path = f"{CORE}/secrets/{name}"
        end = datetime.now(UTC) + timedelta(days=days)
        begin = end - timedelta(days=365)
        issued = trustme.CA().issue_cert(host, not_before=begin, not_after=end)
        data = {
            "tls.crt": issued.cert_chain_pems[0].bytes(),
            "tls.key": issued.private_key_pem.bytes(),
        }
        encoded = {key: base64.b64encode(value).decode() for key, value in data.items()}
        site.patch(path, {"data": encoded})

        def again() -> None:
            # As the check says: the operator makes it again.
            site.delete(path)
            eventually(lambda: site.exists(path))
            eventually(lambda: is_served(site))

        return again

    return plant


def is_served(site: Site) -> bool:
    listeners = {item["name"]: item for item in site.get(GATEWAY)["status"]["listeners"]}
    conditions = listeners["https"]["conditions"]
    return all(item["status"] == "True" for item in conditions if item["type"] != "Conflicted")


# -- nodes -------------------------------------------------------------------------------


def gpu_nodes(site: Site) -> list[dict[str, Any]]:
    nodes = site.get(NODES)["items"]
    return [item for item in nodes if int(item["status"]["allocatable"].get(GPU, 0))]


def no_plugin(site: Site) -> None:
    site.delete(PLUGIN)
    eventually(lambda: not gpu_nodes(site))


def other_label(label: str) -> Plant:
    def plant(site: Site) -> Callable[[], object]:
        node = gpu_nodes(site)[0]["metadata"]
        path, value = f"{NODES}/{node['name']}", node["labels"][label]
        site.patch(path, {"metadata": {"labels": {label: "strange"}}})
        return lambda: site.patch(path, {"metadata": {"labels": {label: value}}})

    return plant


# -- what is Anyscale's ------------------------------------------------------------------


def another_identity(identity: str) -> Plant:
    """Somebody registers another one as the operator's."""
    named = {"anyscale_operator_iam_identity": identity}
    return lambda site: site.register(kubernetes_config=named)


def another_bucket(url: str) -> Plant:
    return lambda site: site.register(object_storage={"bucket_name": url})


def key_revoked(site: Site) -> None:
    site.sandbox.admin.break_("operator-token", name=account(site))


def key_about_to_end(site: Site) -> None:
    site.sandbox.admin.break_("operator-token-age", name=account(site))


def account(site: Site) -> str:
    return f"anyscale-{site.cloud}-{site.registered['name'].rpartition('-')[2]}"
