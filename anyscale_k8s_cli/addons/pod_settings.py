"""What pods get that come of a setup: where they go, where images come from, how they get out.

What a chart has a value for is said by its values, in the module of each add-on. For the
rest there is `addition`, which is applied beside helm. What can be said in neither way is
told by `notes`, so that nothing is dropped in silence.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from anyscale_k8s_cli.cluster.documents import Document, Documents
from anyscale_k8s_cli.install import MARK_PREFIX
from anyscale_k8s_cli.pod_words import as_toleration, mirrored
from anyscale_k8s_cli.resource import fingerprint
from anyscale_k8s_cli.spec import PodsSpec

CA_BUNDLE = "anyscale-k8s-ca"
CA_FILE = "ca.crt"
_CA_FOLDER = "/etc/anyscale-k8s/ca"
_CA_CHECK = f"{MARK_PREFIX}/ca-bundle"
# Read by Go and OpenSSL, by the SDKs of AWS, and by Python's requests: in place of their own.
CA_VARIABLES = ("SSL_CERT_FILE", "AWS_CA_BUNDLE", "REQUESTS_CA_BUNDLE")
# The pod itself, names of the cluster's own, and where platforms answer for a machine or a
# pod who it is: no proxy may stand between.
_NEVER_PROXIED = (
    *("localhost", "127.0.0.1", ".svc", ".cluster.local"),
    *("169.254.169.254", "metadata.google.internal", "168.63.129.16"),
    *("169.254.170.2", "169.254.170.23"),
)


@dataclass(frozen=True)
class PodSettings:
    """`api_servers` are the addresses of the cluster's API, which are reached without a proxy."""

    spec: PodsSpec
    api_servers: Sequence[str] = ()

    @property
    def node_selector(self) -> dict[str, str]:
        return dict(self.spec.node_selector)

    @property
    def tolerations(self) -> Documents:
        return [as_toleration(taint) for taint in self.spec.tolerations]

    @property
    def labels(self) -> dict[str, str]:
        return dict(self.spec.labels)

    @property
    def annotations(self) -> dict[str, str]:
        return dict(self.spec.annotations)

    @property
    def registry(self) -> str | None:
        return self.spec.image_registry

    @property
    def pull_secrets(self) -> Documents:
        return [{"name": name} for name in self.spec.image_pull_secrets]

    def image(self, name: str) -> str:
        return mirrored(name, self.registry)

    @property
    def no_proxy(self) -> tuple[str, ...]:
        """All that is reached without the proxy; empty where there is none."""
        if not (self.spec.http_proxy or self.spec.https_proxy):
            return ()
        hosts = (urlsplit(f"//{host.rpartition('://')[2]}").hostname for host in self.api_servers)
        added = (*_NEVER_PROXIED, *(host for host in hosts if host))
        return tuple(dict.fromkeys((*self.spec.no_proxy, *added)))

    @property
    def proxies(self) -> Documents:
        """Variables, in either spelling: programs read the one or the other."""
        said = {
            "HTTP_PROXY": self.spec.http_proxy,
            "HTTPS_PROXY": self.spec.https_proxy,
            "NO_PROXY": ",".join(self.no_proxy),
        }
        return [
            {"name": spelled, "value": value}
            for name, value in said.items()
            if value
            for spelled in (name, name.lower())
        ]

    @property
    def placement(self) -> dict[str, Any]:
        """As manifests and charts have it; what is not said is left out."""
        return _said({"nodeSelector": self.node_selector, "tolerations": self.tolerations})

    @property
    def marks(self) -> dict[str, Any]:
        return _said({"labels": self.labels, "annotations": self.annotations})

    @property
    def without_hook(self) -> bool:
        """Whether the operator's hook cannot be given all: its chart has no value for it."""
        return bool(self.marks or self.spec.ca_bundle)

    def as_json(self) -> dict[str, Any] | None:
        """What was said, for plans; None where nothing was. Hosts without a proxy are all told."""
        said = self.spec.model_dump(mode="json")
        if self.spec == PodsSpec():
            return None
        return {**said, "no_proxy": list(self.no_proxy), "ca_bundle": bool(self.spec.ca_bundle)}

    def notes(self) -> Iterator[str]:
        """What a person should know who says this."""
        if self.without_hook:
            given = "authorities to trust" if not self.marks else "these labels and annotations"
            yield (
                "the operator's chart does not show its instance types to Anyscale beforehand: "
                f"the pod that would do it cannot be given {given}; its webhook does it afterwards"
            )

    # -- what a chart has no value for ---------------------------------------------------

    def addition(self, workload: Document) -> Document:
        """The part of a workload's `spec` by which its pods have their labels, too."""
        template = workload["spec"]["template"]["metadata"]
        missing = {
            name: {key: value for key, value in wanted.items() if key not in _of(template, name)}
            for name, wanted in self.marks.items()
        }
        marks = _said(missing)
        return {"template": {"metadata": marks}} if marks else {}

    def trust(self, workload: Document) -> Document:
        """The part by which every container of a workload trusts the bundle."""
        if self.spec.ca_bundle is None:
            return {}
        containers = workload["spec"]["template"]["spec"]["containers"]
        variables, mount, volume = ca_share()
        return {
            "template": {
                "metadata": {"annotations": {_CA_CHECK: fingerprint(self.spec.ca_bundle)}},
                "spec": {
                    "containers": [
                        {"name": item["name"], "env": variables, "volumeMounts": [mount]}
                        for item in containers
                    ],
                    "volumes": [volume],
                },
            }
        }


def ca_share() -> tuple[Documents, Document, Document]:
    """Variables, mount and volume by which a container trusts the bundle."""
    variables = [{"name": name, "value": f"{_CA_FOLDER}/{CA_FILE}"} for name in CA_VARIABLES]
    mount = {"name": CA_BUNDLE, "mountPath": _CA_FOLDER, "readOnly": True}
    return variables, mount, {"name": CA_BUNDLE, "configMap": {"name": CA_BUNDLE}}


def _said(values: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in values.items() if value}


def _of(metadata: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    found = metadata.get(name)
    return found if isinstance(found, Mapping) else {}
