"""What can go wrong behind the tool's back in the Azure subscription and its clusters."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from urllib.parse import urlsplit

from anyscale_k8s_cli.sandbox.aks import AksPlatform
from anyscale_k8s_cli.sandbox.azure.directory import FederatedCredential, Principal
from anyscale_k8s_cli.sandbox.azure.resources import IDENTITIES, STORAGE_ACCOUNTS, Resource
from anyscale_k8s_cli.sandbox.controlplane.clouds import Registry
from anyscale_k8s_cli.sandbox.platforms import Break, Registered

_NOBODY = "system:serviceaccount:elsewhere:nobody"
_IDENTITY = "anyscale_operator_iam_identity"

Change = Callable[[FederatedCredential], FederatedCredential]


@dataclass(frozen=True)
class AksBreaks:
    """`registered` gives the buckets that the control plane knows, `registry` all it knows."""

    aks: AksPlatform
    registered: Registered
    registry: Registry

    def named(self) -> Mapping[str, Break]:
        return {
            "role-trust": self._trust_another_account,
            "issuer": self._trust_another_issuer,
            "client-registered": self._register_clients,
            "workload-identity": self._switch_off,
            "tenant": self._forget_anyscale,
            "identity": self._delete_identity,
            "bucket-access": self._withdraw_roles,
            "bucket": self._delete_container,
            "storage-account": self._delete_account,
            "load-balancer": self._remove_load_balancers,
        }

    def mended(self) -> Mapping[str, Break]:
        """What somebody else must put right again."""
        return {
            "load-balancer": self._answer_again,
            "tenant": self._know_anyscale,
            "workload-identity": self._switch_on,
        }

    # -- identities -------------------------------------------------------------------

    def _trust_another_account(self, wanted: str | None) -> list[str]:
        """The identities trust another service account, and their tokens are over."""
        changed = [
            self._change(identity, lambda credential: replace(credential, subject=_NOBODY))
            for identity in self._trusting(wanted)
        ]
        self.aks.azure.expire_sessions()
        return changed

    def _trust_another_issuer(self, wanted: str | None) -> list[str]:
        """The issuers that the identities trust lose their last slash."""
        changed = [
            self._change(
                identity,
                lambda credential: replace(credential, issuer=credential.issuer.rstrip("/")),
            )
            for identity in self._trusting(wanted)
        ]
        self.aks.azure.expire_sessions()
        return changed

    def _change(self, identity: Resource, change: Change) -> str:
        world = self.aks.azure.world
        with world.lock:
            credentials = world.identities.principal(identity).credentials
            for name, credential in list(credentials.items()):
                credentials[name] = change(credential)
        return identity.name

    def _trusting(self, wanted: str | None) -> Iterator[Resource]:
        """The identities that trust some cluster, or one by its name."""
        world = self.aks.azure.world
        for identity in world.resources.of(IDENTITIES):
            trusts = world.identities.principal(identity).credentials
            if trusts and wanted in (None, identity.name):
                yield identity

    def _principals(self, wanted: str | None) -> list[Principal]:
        identities = self.aks.azure.world.identities
        return [identities.principal(identity) for identity in self._trusting(wanted)]

    def _register_clients(self, wanted: str | None) -> list[str]:
        """The registrations name identities by their client's ids, not by their principals'."""
        clients = {item.object_id: item.app_id for item in self._principals(wanted)}
        changed = []
        for cloud in self.registry.clouds():
            for resource in cloud.resources:
                config = resource.content.get("kubernetes_config") or {}
                if client := clients.get(str(config.get(_IDENTITY))):
                    config[_IDENTITY] = client
                    changed.append(resource.id)
        return changed

    def _switch_off(self, wanted: str | None) -> list[str]:
        """A cluster's webhook is off: new pods get no token."""
        return self._set_webhook(wanted, on=False)

    def _switch_on(self, wanted: str | None) -> list[str]:
        return self._set_webhook(wanted, on=True)

    def _set_webhook(self, wanted: str | None, *, on: bool) -> list[str]:
        world = self.aks.azure.world
        with world.lock:
            cluster = world.clusters.named(wanted or self.aks.main)
            cluster.seed = replace(cluster.seed, workload_identity=on)
        return [cluster.seed.name]

    def _forget_anyscale(self, _: str | None) -> list[str]:
        """Anyscale's application is taken out of the tenant, and its tokens are over."""
        self.aks.azure.world.directory.anyscale_known = False
        self.aks.azure.expire_sessions()
        return [self.aks.azure.settings.tenant_id]

    def _know_anyscale(self, _: str | None) -> list[str]:
        self.aks.azure.world.directory.anyscale_known = True
        return [self.aks.azure.settings.tenant_id]

    def _delete_identity(self, wanted: str | None) -> list[str]:
        world = self.aks.azure.world
        with world.lock:
            gone = list(self._trusting(wanted))
            for identity in gone:
                world.resources.remove(identity)
        return [identity.name for identity in gone]

    def _withdraw_roles(self, wanted: str | None) -> list[str]:
        """The identities hold no role any more."""
        world = self.aks.azure.world
        with world.lock:
            principals = self._principals(wanted)
            for principal in principals:
                world.rights.replace(principal, [])
        return [principal.display_name for principal in principals]

    # -- storage -----------------------------------------------------------------------------

    def _delete_container(self, wanted: str | None) -> list[str]:
        """With all that is in it; named as registered, `container@account…`."""
        gone = []
        for bucket in [wanted] if wanted else self.registered("abfss"):
            url = urlsplit(f"abfss://{bucket}")
            data = self.aks.azure.world.accounts.data.get(_account(url.hostname or ""))
            if data is not None and data.remove_container(url.username or ""):
                gone.append(bucket)
        return gone

    def _delete_account(self, wanted: str | None) -> list[str]:
        world = self.aks.azure.world
        urls = [urlsplit(f"abfss://{bucket}") for bucket in self.registered("abfss")]
        names = {wanted} if wanted else {_account(url.hostname or "") for url in urls}
        with world.lock:
            gone = [item for item in world.resources.of(STORAGE_ACCOUNTS) if item.name in names]
            for account in gone:
                world.resources.remove(account)
        return [account.name for account in gone]

    # -- network -------------------------------------------------------------------------------

    def _remove_load_balancers(self, _: str | None) -> list[str]:
        """Those that are there go, and no Service gets an address from now on."""
        balancers = self.aks.load_balancers
        balancers.answers = False
        gone = balancers.remove_all()
        store = self.aks.cluster.store
        for service in store.items("services"):
            if service["spec"].get("type") == "LoadBalancer":
                store.set_status("services", service, {"loadBalancer": {}}, "sandbox")
        return gone or ["none from now on"]

    def _answer_again(self, _: str | None) -> list[str]:
        """Services that wait for an address get one."""
        self.aks.load_balancers.answers = True
        return [self.aks.main]


def _account(host: str) -> str:
    return host.partition(".")[0]
