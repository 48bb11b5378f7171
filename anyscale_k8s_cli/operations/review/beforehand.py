"""The page of a spec, before anything is made. Nobody is asked."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from anyscale_k8s_cli.abilities import TellsBeforehand
from anyscale_k8s_cli.addons import gateway_controller
from anyscale_k8s_cli.cloud_side import WorkloadEndpoints
from anyscale_k8s_cli.cluster.pins import pins
from anyscale_k8s_cli.controlplane.credentials import host_from
from anyscale_k8s_cli.controlplane.origin import user_data_domain
from anyscale_k8s_cli.install import Install
from anyscale_k8s_cli.operations.review import (
    SIGNS_IN,
    Bucket,
    Holder,
    Image,
    Network,
    Place,
    Review,
    egress,
    known,
    of_setup,
    outsiders,
    pods_accounts,
    registry_of,
)
from anyscale_k8s_cli.operator_token import account_name
from anyscale_k8s_cli.pod_words import mirrored
from anyscale_k8s_cli.provider import Made, PolicyDocument, Provider
from anyscale_k8s_cli.provider_registry import load
from anyscale_k8s_cli.resource import Ownership
from anyscale_k8s_cli.run import Run
from anyscale_k8s_cli.spec import CloudSpec, Settings, makes_gateway, value_at
from anyscale_k8s_cli.spec_loading import load as load_settings
from anyscale_k8s_cli.templates import load_yaml

_BY_CHARTS = (
    "roles in the cluster, ports and images: charts bring them, and they are told of a cloud "
    "that is there"
)
_STORE, _TOKENS = "<the object store>", "<the platform's token service>"
_USUAL_STORE = "s3"
_NOT_THE_USERS = (None, "create")


def beforehand(
    flags: Settings, file: Path | None, environment: Mapping[str, str], run: Run
) -> Review:
    """Tell what a setup would make.

    Raises `missing-input`, `invalid-spec` and `provider-unavailable`.
    """
    spec = load_settings(flags=flags, file=file, environment={}).spec
    provider = load(spec.provider, run)
    return _Teller(spec, provider, host_from(environment)).review(run)


# The ports of an Ingress controller; whose hostnames it serves, its Ingresses say.
_OF_INGRESSES = tuple(
    {"name": kind.lower(), "port": port, "protocol": kind, "hostname": None}
    for port, kind in ((80, "HTTP"), (443, "HTTPS"))
)


class _Teller:
    def __init__(self, spec: CloudSpec, provider: Provider, host: str) -> None:
        self._spec = spec
        self._provider = provider
        self._host = host
        self._install = Install(
            provider.name,
            account="",
            region=spec.region or "",
            cluster="",
            namespace=spec.namespace,
            cloud=spec.name,
            name_prefix=spec.rules.name_prefix,
        )

    def review(self, run: Run) -> Review:
        spec, host = self._spec, self._host
        images = tuple(self._images())
        registries = {registry_of(item.image) for item in images}
        return Review(
            Place(spec.name, self._provider.name, spec.namespace, live=False, region=spec.region),
            identities=tuple(self._identities()),
            kubernetes=(),
            secrets=tuple(self._secrets()),
            network=self._network(),
            egress=egress(host, self._endpoints(), sorted(registries)),
            images=images,
            outside=outsiders(host, separate=spec.identity.separate),
            data=tuple(self._data()),
            setup=tuple(of_setup(self._provider.name, run)),
            unknown=(_BY_CHARTS,),
        )

    # -- who may what ----------------------------------------------------------------

    def _identities(self) -> Iterator[Holder]:
        """What is made outside the cluster and holds no data, and what the user has."""
        separate = self._spec.identity.separate
        yield from pods_accounts(self._spec.namespace, separate=separate)
        if not self._provider.workload_identity:
            named = self._spec.operator.service_account
            whose = Ownership.ADOPTED if named else Ownership.OURS
            name = named or self._open(account_name(self._install))
            yield Holder(SIGNS_IN, name, whose.value)
        if given := self._spec.existing.identity:
            yield Holder("identity of yours", given, Ownership.ADOPTED.value)
        for made in self._made():
            if not made.data:
                yield Holder(made.what, self._named(made), Ownership.OURS.value, made.rights)
        if documents := tuple(self._grants()):
            title, name = "all of these", "word for word"
            yield Holder(title, name, Ownership.OURS.value, documents=documents)

    def _grants(self) -> Iterator[PolicyDocument]:
        if isinstance(self._provider, TellsBeforehand):
            for item in self._provider.grants(self._spec, self._install, self._bucket()):
                yield PolicyDocument(self._open(item.name), item.format, self._open(item.text))

    def _made(self) -> Iterator[Made]:
        """What is made with these settings."""
        store = self._spec.storage.kind or _USUAL_STORE
        for made in self._provider.makes(self._install):
            if made.store in ("", store) and not any(map(self._has, made.unless)):
                yield made

    def _has(self, settings: str) -> bool:
        """Whether all of these say that something is the user's."""
        terms = (term.partition("=") for term in settings.split())
        return all(self._says(path, value) for path, _, value in terms)

    def _says(self, path: str, value: str) -> bool:
        said = value_at(self._spec, path)
        return bool(said == value) if value else said not in _NOT_THE_USERS

    def _named(self, made: Made) -> str:
        return self._spec.rules.names.get(made.named) or self._open(made.name)

    def _open(self, text: str) -> str:
        """The id follows from account and cluster."""
        return text.replace(self._install.id, "<id>")

    # -- where data is -----------------------------------------------------------------

    def _data(self) -> Iterator[Bucket]:
        spec, provider = self._spec, self._provider
        if given := spec.existing.bucket:
            yield Bucket(given, spec.region, Ownership.ADOPTED.value, {})
        told = provider.protection(spec) if isinstance(provider, TellsBeforehand) else {}
        place = spec.storage.location or spec.storage.region or spec.region
        for made in self._made():
            if made.data:
                yield Bucket(self._named(made), place, Ownership.OURS.value, told)

    def _bucket(self) -> str:
        return next(item.bucket for item in self._data())

    def _secrets(self) -> Iterator[Mapping[str, Any]]:
        controlled = makes_gateway(self._spec)
        places = {
            "anywhere": self._spec.namespace,
            "without-identity": "" if self._provider.workload_identity else self._spec.namespace,
            "beside-the-gateway": gateway_controller.NAMESPACE if controlled else "",
        }
        for item in known("secrets"):
            if namespace := places[item["only"]]:
                yield {"namespace": namespace, "name": item["name"], "holds": item["holds"]}

    # -- ways in and out -----------------------------------------------------------------

    def _network(self) -> Network:
        network, given = self._spec.network, self._spec.existing.gateway
        if given:
            return Network("as your gateway is", (), given, ())
        if network.kind == "none":
            return Network("as your own way in is", (), network.address, ())
        if network.kind == "nginx":
            return Network(network.expose, network.allow_cidrs, None, _OF_INGRESSES)
        values = {
            "name": "",
            "namespace": "",
            "gateway_class": "",
            "resource": "",
            "user_domain": user_data_domain(self._host),
        }
        manifest = load_yaml("gateway/gateway.yaml", values)
        return Network(network.expose, network.allow_cidrs, None, tuple(listeners(manifest)))

    def _endpoints(self) -> WorkloadEndpoints:
        existing = self._spec.existing
        exchanged = (
            self._provider.workload_identity
            or existing.storage_keys == "federation"
            or existing.identity_provider
        )
        tokens = _TOKENS if exchanged else ""
        return WorkloadEndpoints(self._spec.storage.endpoint or _STORE, tokens)

    def _images(self) -> Iterator[Image]:
        """What is known without the charts: the operator's place, and what probes run."""
        registry, place = self._spec.pods.image_registry, self._spec.namespace
        for item in known("images"):
            yield Image(place, mirrored(item["image"], registry))
        probes = mirrored(pins().images["python"], registry)
        yield Image(place, self._spec.probe.image or probes)


def listeners(gateway: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """Where a Gateway listens."""
    for item in gateway["spec"].get("listeners") or ():
        yield {name: item.get(name) for name in ("name", "port", "protocol", "hostname")}
