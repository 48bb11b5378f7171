"""What is handed over to whoever installs the operator by hand: values, manifests, commands.

All of it can be used as it stands. What is secret is in none of it: a form has places for
it, and a command says how helm is told.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from anyscale_k8s_cli import errors
from anyscale_k8s_cli.addons import by_hand, gateway_controller, gpu, nginx, values_file
from anyscale_k8s_cli.addons.addresses import Address, service_reached
from anyscale_k8s_cli.addons.adopted_gateway import AdoptedGateway
from anyscale_k8s_cli.addons.context import InstallContext
from anyscale_k8s_cli.addons.gateway import programmed
from anyscale_k8s_cli.addons.gateway_definitions import CHART as DEFINITIONS
from anyscale_k8s_cli.addons.gateway_definitions import ENVOY_GATEWAY as ENVOY
from anyscale_k8s_cli.addons.gateway_definitions import GATEWAY_API as GATEWAY_API_GROUP
from anyscale_k8s_cli.addons.given_address import GivenAddress
from anyscale_k8s_cli.addons.names import OPERATOR_CHART, OPERATOR_RELEASE
from anyscale_k8s_cli.addons.operator import values_for
from anyscale_k8s_cli.addons.token_values import token_in
from anyscale_k8s_cli.addons.ways_in import gateway_of
from anyscale_k8s_cli.cloud_side import CloudSide
from anyscale_k8s_cli.cluster.charts import words_for
from anyscale_k8s_cli.cluster.documents import Document, Documents, Reference
from anyscale_k8s_cli.cluster.kubernetes import Kubernetes
from anyscale_k8s_cli.install import Install
from anyscale_k8s_cli.operations.requests import RegisterRequest
from anyscale_k8s_cli.operations.said import on_install
from anyscale_k8s_cli.provider import LoadBalancer
from anyscale_k8s_cli.registration import RegisteredResource
from anyscale_k8s_cli.run import StillWaiting
from anyscale_k8s_cli.spec import Scope, makes_gateway

_VALUES_FILE, _MANIFESTS_DIR = "values.yaml", "manifests"
_NO_ADDRESS = (
    "The load balancer's address is not in here: it has none yet. Give it after this file,",
    "as the printed command does, or register again once it has one.",
)


@dataclass(frozen=True)
class Place:
    """A registration, and the cluster that it is for where one was named."""

    context: InstallContext
    cloud: CloudSide
    registration: RegisteredResource
    kubernetes: Kubernetes | None

    @property
    def bound_to(self) -> str:
        return self.registration.output.cloud_resource_id

    @property
    def kind(self) -> str:
        return self.context.spec.network.kind

    @property
    def way_in(self) -> Reference:
        """What has the address: the Gateway, the user's or that of the manifests, or a Service."""
        if self.kind == "nginx":
            return nginx.controller_service(self.context.install)
        return gateway_of(self.context)

    def balancer(self) -> LoadBalancer:
        context = self.context
        reader = self.kubernetes or _Unseen()
        return context.provider.load_balancer(
            context.spec, context.cluster, context.install, reader
        ).by_hand

    def defines(self, plural: str, group: str) -> bool:
        """Whether the cluster is known to have a kind of object."""
        if self.kubernetes is None:
            return False
        name, api = f"{plural}.{group}", "apiextensions.k8s.io/v1"
        return self.kubernetes.get(api, "CustomResourceDefinition", name) is not None

    def kubectl(self, *words: str) -> str:
        """A command that reaches no other cluster than the one that was named."""
        if self.kubernetes is not None:
            return self.kubernetes.access.kubectl(*words)
        return " ".join(("kubectl", *words))

    def helm(self, *words: str) -> str:
        if self.kubernetes is not None:
            return self.kubernetes.access.helm(*words)
        return " ".join(("helm", *words))


@dataclass(frozen=True)
class Step:
    """What is to be done next, and the command that does it."""

    title: str
    command: str

    def as_json(self) -> dict[str, str]:
        return {"title": self.title, "command": self.command}


@dataclass(frozen=True)
class Manifest:
    """A file of manifests, with notes for whoever reads it."""

    file: str
    documents: Documents
    notes: tuple[str, ...] = ()

    @property
    def text(self) -> str:
        return by_hand.render(self.documents, self.notes)


@dataclass(frozen=True)
class HandOver:
    """Values and manifests of a registration, as they are applied."""

    place: Place
    values: Mapping[str, Any]
    notes: tuple[str, ...]
    manifests: tuple[Manifest, ...]
    patch: str

    def write(self, request: RegisterRequest) -> None:
        """Write them where the request wants them. Raises `file-not-ours`."""
        install = self.place.context.install
        if request.values_file is not None:
            values_file.write(
                request.values_file,
                self.values,
                install,
                self.notes,
                overwrite=request.overwrite,
            )
        if request.manifests_dir is not None:
            request.manifests_dir.mkdir(parents=True, exist_ok=True)
            for item in self.manifests:
                _write(request.manifests_dir / item.file, item.text, install, request)

    def as_json(self, request: RegisterRequest) -> dict[str, Any]:
        return {
            "values": dict(self.values),
            "values_file": str(request.values_file) if request.values_file else None,
            "manifests": [
                {"file": item.file, "documents": item.documents} for item in self.manifests
            ],
            "manifests_dir": str(request.manifests_dir) if request.manifests_dir else None,
            "next": [step.as_json() for step in self._steps(request)],
        }

    def texts(self) -> dict[str, str]:
        """What there is to show, by the names of the files that it would be in."""
        install = self.place.context.install
        return {
            _VALUES_FILE: values_file.render(self.values, install, self.notes),
            **{item.file: item.text for item in self.manifests},
        }

    def _steps(self, request: RegisterRequest) -> Iterator[Step]:
        place, spec = self.place, self.place.context.spec
        folder = shlex.quote(str(request.manifests_dir or _MANIFESTS_DIR))
        if makes_gateway(spec) and not _controller_runs(place.kubernetes):
            yield from self._controller()
        if self.manifests:
            yield Step("Apply the manifests", place.kubectl("apply", "-f", folder))
        yield from self._gpu_plugin()
        if self.patch:
            yield Step("Let the Gateway use the operator's certificates", self.patch)
        if place.kind == "nginx":
            yield Step("Install the controller of Ingresses", self._ingress_controller())
        waits = place.kind != "none" and _address_of(self.values) is None
        if waits:
            yield Step("Wait for the load balancer's address", self._wait())
        yield Step("Install the operator", self._operator(request, waits=waits))
        yield Step("See whether it works", self._verify())

    def _controller(self) -> Iterator[Step]:
        """Definitions that are there are somebody's: only what is missing is brought."""
        place, mirror = self.place, self.place.context.spec.charts.mirror
        groups = (
            ("gatewayAPI", "gateways", GATEWAY_API_GROUP),
            ("envoyGateway", "envoyproxies", ENVOY),
        )
        missing = [name for name, plural, group in groups if not place.defines(plural, group)]
        if missing:
            chosen = [f"crds.{name}.enabled=true" for name in missing]
            words = [
                *map(shlex.quote, words_for(DEFINITIONS, mirror=mirror)),
                f"--include-crds --set {','.join(('crds.gatewayAPI.channel=standard', *chosen))}",
            ]
            yield Step(
                "Install the definitions that are missing",
                f"helm template {' '.join(words)} | "
                + place.kubectl("apply", "--server-side", "-f", "-"),
            )
        words = [f"upgrade --install {gateway_controller.RELEASE}"]
        words += map(shlex.quote, words_for(gateway_controller.CHART, mirror=mirror))
        words.append(f"--namespace {gateway_controller.NAMESPACE} --create-namespace")
        words += _values(gateway_controller.controller_values(place.context))
        yield Step("Install the gateway's controller", place.helm(*words, "--skip-crds --wait"))

    def _ingress_controller(self) -> str:
        """Under a name of its own: that of ours would be taken for one of this tool's."""
        place, context = self.place, self.place.context
        words = [f"upgrade --install {nginx.ingress_class(context.install)}"]
        words += map(shlex.quote, words_for(nginx.CHART, mirror=context.spec.charts.mirror))
        words.append(f"--namespace {context.install.namespace}")
        words += _values(nginx.nginx_values(context, place.balancer(), {}))
        return place.helm(*words)

    def _gpu_plugin(self) -> Iterator[Step]:
        """Where nodes have GPUs that nobody serves, this tool for another cloud neither."""
        place, context = self.place, self.place.context
        if place.kubernetes is None:
            return
        pools = gpu.by_hand(gpu.pools_of(context, place.kubernetes))
        if not pools or gpu.all_served(pools):
            return
        # Under the name of ours it would be taken for one of this tool's.
        words = [f"upgrade --install {gpu.CHART}"]
        words += map(shlex.quote, words_for(gpu.CHART, mirror=context.spec.charts.mirror))
        words.append(f"--namespace {gpu.NAMESPACE} --create-namespace")
        words += _values(gpu.plugin_values(context, pools))
        yield Step("Install the plugin for GPUs", place.helm(*words))
        if labels := context.pods.labels:
            patch = json.dumps({"spec": {"template": {"metadata": {"labels": labels}}}})
            found = place.kubectl(f"get daemonsets,deployments -n {gpu.NAMESPACE} -o name")
            words = ["patch % --type merge", f"-n {gpu.NAMESPACE} -p {shlex.quote(patch)}"]
            # Its chart has no value for them.
            yield Step("Label its pods", f"{found} | xargs -I % {place.kubectl(*words)}")

    def _wait(self) -> str:
        where = self.place.way_in
        until = "condition=Programmed"
        if self.place.kind == "nginx":
            until = "jsonpath='{.status.loadBalancer.ingress}'"
        return self.place.kubectl(
            f"wait {where.kind.lower()}/{where.name} --namespace {where.namespace}",
            f"--for={until} --timeout=10m",
        )

    def _operator(self, request: RegisterRequest, *, waits: bool) -> str:
        context = self.place.context
        operator, file = context.spec.operator, str(request.values_file or _VALUES_FILE)
        chart = words_for(
            OPERATOR_CHART,
            version=operator.version,
            source=operator.chart,
            mirror=context.spec.charts.mirror,
        )
        words = [
            f"upgrade --install {OPERATOR_RELEASE}",
            *map(shlex.quote, chart),
            f"--namespace {context.install.namespace} --values {shlex.quote(file)}",
        ]
        if waits:
            words += self._address()
        if self._needs_token:
            words.append("--set-file global.auth.anyscaleCliToken=TOKEN-FILE")
        return self.place.helm(*words, "--wait --timeout 10m")

    def _address(self) -> Iterator[str]:
        """Of the two kinds of address it has one; the other is empty, as by default."""
        if self.place.kind == "nginx":
            first = ".status.loadBalancer.ingress[0]"
            yield f'--set networking.ingress.address="$({self._get(f"{{{first}.hostname}}")}'
            yield f'{self._get(f"{{{first}.ip}}")})"'
            return
        for value, kind in (("hostname", "Hostname"), ("ip", "IPAddress")):
            asked = self._get(f'{{.status.addresses[?(@.type=="{kind}")].value}}')
            yield f'--set networking.gateway.{value}="$({asked})"'

    def _get(self, path: str) -> str:
        where = self.place.way_in
        return self.place.kubectl(
            f"get {where.kind.lower()} {where.name} --namespace {where.namespace} -o",
            f"jsonpath='{path}'",
        )

    @property
    def _needs_token(self) -> bool:
        return not self.place.context.provider.workload_identity and not token_in(self.values)

    def _verify(self) -> str:
        """With what leads to it: of what was made by hand little else tells where it is."""
        context = self.place.context
        spec = context.spec
        scope = Scope(cluster=spec.cluster, credentials=spec.credentials)
        return on_install("anyscale cloud verify", context.provider, context.install, scope)


def _values(values: Mapping[str, Any]) -> Iterator[str]:
    for name, value in values.items():
        yield f"--set-json {shlex.quote(f'{name}={json.dumps(value)}')}"


def hand_over(place: Place) -> HandOver:
    """Put it together; reads at most, and in the cluster alone."""
    context = place.context
    address, patch = _found(place)
    values = values_for(context, place.cloud, place.bound_to, address, {})
    notes = () if address or place.kind == "none" else _NO_ADDRESS
    return HandOver(place, values, notes, tuple(_manifests(place)), patch)


def _found(place: Place) -> tuple[Address | None, str]:
    """The address if there is one, and the command that mends what a Gateway lacks."""
    kubernetes, named = place.kubernetes, place.context.spec.existing.gateway
    if place.kind == "none":
        return GivenAddress(place.context).read().output.address, ""
    if kubernetes is None:
        return None, ""
    patch = ""
    if named:
        adopted = AdoptedGateway(place.context, kubernetes, named, place.registration)
        observed = adopted.read()
        patch = observed.unfit[0].fix if observed and observed.unfit else ""
    where = place.way_in
    found = kubernetes.get(where.api_version, where.kind, where.name, where.namespace)
    if found is not None and place.kind == "nginx":
        return service_reached(found), patch
    if found is not None:
        with suppress(StillWaiting):
            return programmed(found), patch
    return None, patch


def _manifests(place: Place) -> Iterator[Manifest]:
    context, cloud = place.context, place.cloud
    yield Manifest("1-namespace.yaml", [by_hand.namespace(context)])
    if makes_gateway(context.spec):
        gateway = by_hand.gateway(context, place.balancer(), place.bound_to)
        yield Manifest("2-gateway.yaml", gateway)
    if cloud.storage_keys is not None:
        form = by_hand.credentials_form(
            cloud.storage.output, cloud.storage_keys.output, context.install.namespace
        )
        notes = (f"Put your own in place of {by_hand.TO_FILL_IN} before you apply this.",)
        yield Manifest("3-storage-credentials.yaml", [form], notes)


class _Unseen:
    """The cluster that nobody named: nothing is seen in it."""

    def get(
        self, api_version: str, kind: str, name: str, namespace: str | None = None
    ) -> dict[str, Any] | None:
        return None

    def list(
        self,
        api_version: str,
        kind: str,
        namespace: str | None = None,
        *,
        label_selector: str | None = None,
    ) -> list[dict[str, Any]]:
        return []


def _controller_runs(kubernetes: Kubernetes | None) -> bool:
    return kubernetes is not None and gateway_controller.incumbent(kubernetes) is not None


def _address_of(values: Mapping[str, Any]) -> str | None:
    gateway: Document = values["networking"]["gateway"]
    ingress: Document = values["networking"].get("ingress") or {}
    return gateway.get("hostname") or gateway.get("ip") or ingress.get("address")


def _write(path: Path, text: str, install: Install, request: RegisterRequest) -> None:
    first = values_file.first_line(install)
    if not request.overwrite:
        values_file.check_writable(path, install)
    try:
        path.write_text(f"{first}\n{text}", encoding="utf-8")
    except OSError as problem:
        raise errors.CliError(
            errors.FILE_UNUSABLE,
            f"{path} cannot be written",
            cause=problem.strerror or str(problem),
            fix="name another folder with --manifests-dir",
        ) from problem
