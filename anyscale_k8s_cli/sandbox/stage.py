"""A running world: every stand-in, put together, started and stopped as one."""

from __future__ import annotations

import asyncio
import hashlib
import secrets
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from anyscale_k8s_cli.sandbox import kubeconfig
from anyscale_k8s_cli.sandbox.charts.repository import ChartRepository
from anyscale_k8s_cli.sandbox.controlplane.accounts import Seed
from anyscale_k8s_cli.sandbox.controlplane.aws import S3Signer
from anyscale_k8s_cli.sandbox.controlplane.server import ControlPlaneStandIn
from anyscale_k8s_cli.sandbox.dns import DnsStandIn, of_load_balancers
from anyscale_k8s_cli.sandbox.kubernetes.objects import dig
from anyscale_k8s_cli.sandbox.kubernetes.standin import KubernetesStandIn
from anyscale_k8s_cli.sandbox.platforms import Platform
from anyscale_k8s_cli.sandbox.tls import Authority
from anyscale_k8s_cli.sandbox.wire import Wire
from anyscale_k8s_cli.sandbox.world import World

if TYPE_CHECKING:
    from anyscale_k8s_cli.sandbox.aks import AksPlatform
    from anyscale_k8s_cli.sandbox.cks import CksPlatform
    from anyscale_k8s_cli.sandbox.eks import EksPlatform
    from anyscale_k8s_cli.sandbox.generic import GenericPlatform
    from anyscale_k8s_cli.sandbox.gke import GkePlatform
    from anyscale_k8s_cli.sandbox.mk8s import NebiusPlatform
    from anyscale_k8s_cli.sandbox.oke import OkePlatform

MIRROR_VARIABLE = "ANYSCALE_K8S_CHART_MIRROR"
# As checks/dns.py knows it.
DNS_VARIABLE = "ANYSCALE_K8S_DNS_SERVER"
_LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"


# Where each platform's stand-ins are; imported for those alone that a world has.
_CLASSES = {
    "eks": "eks:EksPlatform",
    "gke": "gke:GkePlatform",
    "aks": "aks:AksPlatform",
    "nebius": "mk8s:NebiusPlatform",
    "coreweave": "cks:CksPlatform",
    "oke": "oke:OkePlatform",
    "generic": "generic:GenericPlatform",
}


class NotInThisWorld(LookupError):
    """A platform that the sandbox was started without."""


def _class_of(platform: str) -> Any:
    module, _, name = _CLASSES[platform].partition(":")
    return getattr(import_module(f"anyscale_k8s_cli.sandbox.{module}"), name)


class Stage:
    """Holds the stand-ins of one sandbox. Everything but `snapshot` belongs to one event loop."""

    def __init__(self, world: World) -> None:
        self._beforehand = world.kubernetes.objects
        self.wire = Wire()
        self.authority = Authority()
        self.token = f"aph0_{secrets.token_urlsafe(32)}"
        self._by_name = {name: self._made(name, world) for name in world.platforms}
        self.platforms: tuple[Platform, ...] = tuple(self._by_name.values())
        self.charts = ChartRepository(self.wire, self.authority)
        self.dns = DnsStandIn(self._names)
        self.plane = ControlPlaneStandIn(
            self.wire,
            self.token,
            seed=Seed(permission_level=world.permission_level),
            behaviour=world.behaviour,
            trusted=self.authority.client_context(),
            login_polls=world.login_polls,
        )

    def _made(self, platform: str, world: World) -> Any:
        # A cluster of any kind may have its bucket at Google.
        beside = (self._google,) if platform == "generic" else ()
        return _class_of(platform)(world, self.wire, self.authority, *beside)

    def _google(self) -> Mapping[str, str]:
        return self.gke.google.endpoints() if self.has("gke") else {}

    def _names(self) -> Mapping[str, str]:
        """The load balancers' names are all that DNS knows."""
        return of_load_balancers(
            given["hostname"]
            for platform in self.platforms
            for cluster in platform.clusters.values()
            for service in cluster.store.items("services")
            for given in dig(service, "status", "loadBalancer", "ingress") or ()
            if given.get("hostname")
        )

    def has(self, platform: str) -> bool:
        return platform in self._by_name

    @property
    def eks(self) -> EksPlatform:
        found: EksPlatform = self.there("eks")
        return found

    @property
    def gke(self) -> GkePlatform:
        found: GkePlatform = self.there("gke")
        return found

    @property
    def aks(self) -> AksPlatform:
        found: AksPlatform = self.there("aks")
        return found

    @property
    def nebius(self) -> NebiusPlatform:
        found: NebiusPlatform = self.there("nebius")
        return found

    @property
    def coreweave(self) -> CksPlatform:
        found: CksPlatform = self.there("coreweave")
        return found

    @property
    def oke(self) -> OkePlatform:
        found: OkePlatform = self.there("oke")
        return found

    @property
    def generic(self) -> GenericPlatform:
        found: GenericPlatform = self.there("generic")
        return found

    def there(self, platform: str) -> Any:
        """The platform of that name. Raises NotInThisWorld."""
        if platform not in self._by_name:
            raise NotInThisWorld(f"this sandbox has no {platform}")
        return self._by_name[platform]

    async def start(self) -> None:
        """Returns once every stand-in answers."""
        starts = [platform.start() for platform in self.platforms]
        await asyncio.gather(self.charts.start(), self.dns.start(), *starts)
        for platform in self.platforms:
            self.plane.verifiers |= platform.verifiers(self.plane.http)
            self.plane.signers |= platform.signers(self.plane.http)
        # Without Amazon itself there are still stores that speak as it does, by their endpoints.
        self.plane.signers.setdefault("s3", S3Signer(""))
        await self.plane.start()
        for platform in self.platforms:
            for cluster in platform.clusters.values():
                await cluster.add(self._beforehand)

    async def stop(self) -> None:
        """End everything, calls that hang included; safe to repeat."""
        self.wire.clear_faults()
        for platform in self.platforms:
            await platform.stop()
        await self.plane.stop()
        await self.charts.stop()
        await self.dns.stop()

    def environment(self, folder: Path) -> dict[str, str]:
        """The variables that lead clients here; files that they name are written to `folder`."""
        bundle = folder / "ca.pem"
        bundle.write_bytes(self.authority.ca_pem)
        found = {
            "ANYSCALE_HOST": self.plane.url,
            "ANYSCALE_CLI_TOKEN": self.token,
            "SSL_CERT_FILE": str(bundle),
            MIRROR_VARIABLE: self.charts.url,
            DNS_VARIABLE: self.dns.address,
        }
        for platform in self.platforms:
            found |= platform.environment(folder)
        return found

    def kubeconfig(self) -> dict[str, Any]:
        """One for all clusters, as a person would have it who works with each of them."""
        contexts: dict[str, KubernetesStandIn] = {}
        for platform in self.platforms:
            contexts |= platform.contexts
        return kubeconfig.document(contexts)

    def addresses(self) -> dict[str, str]:
        """Where each stand-in listens, by its name."""
        found = {"anyscale": self.plane.url, "charts": self.charts.url}
        for platform in self.platforms:
            found |= platform.addresses()
        return found

    async def snapshot(self) -> dict[str, Any]:
        """What is where, to compare two moments by; the values of Secrets are hashes."""
        found: dict[str, Any] = {"control_plane": self.plane.snapshot(), "kubernetes": {}}
        for platform in self.platforms:
            for name, cluster in platform.clusters.items():
                objects = cluster.store.snapshot()
                found["kubernetes"][name] = {key: redacted(objects[key]) for key in objects}
            found |= await asyncio.to_thread(platform.snapshot)
        return found


def redacted(item: Mapping[str, Any]) -> dict[str, Any]:
    """A Kubernetes object that tells whether a Secret changed, and not what is in it."""
    shown = dict(item)
    if item.get("kind") != "Secret":
        return shown
    for field in ("data", "stringData"):
        if item.get(field):
            shown[field] = {key: _hashed(value) for key, value in item[field].items()}
    annotations = dict(item["metadata"].get("annotations") or {})
    if _LAST_APPLIED in annotations:
        annotations[_LAST_APPLIED] = _hashed(annotations[_LAST_APPLIED])
        shown["metadata"] = {**item["metadata"], "annotations": annotations}
    return shown


def _hashed(value: str) -> str:
    return "sha256:" + hashlib.sha256(value.encode()).hexdigest()
