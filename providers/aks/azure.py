"""One subscription as this provider uses it: all of its services behind one session."""

from __future__ import annotations

from functools import cached_property

from anyscale_k8s_cli.providers.aks.sdk.clusters import Clusters
from anyscale_k8s_cli.providers.aks.sdk.network import Network
from anyscale_k8s_cli.providers.aks.sdk.policies import Policies
from anyscale_k8s_cli.providers.aks.sdk.roles import Roles
from anyscale_k8s_cli.providers.aks.sdk.storage import Account, Storage
from anyscale_k8s_cli.providers.aks.sdk.subscription import Subscription
from anyscale_k8s_cli.providers.aks.sdk.usages import Usages
from anyscale_k8s_cli.providers.aks.sdk.vaults import Vaults
from anyscale_k8s_cli.providers.azureblob.sdk.blobs import Blobs
from anyscale_k8s_cli.providers.azureblob.sdk.identities import Identities
from anyscale_k8s_cli.providers.azureblob.sdk.signed_in import Session
from anyscale_k8s_cli.run import Run

_ROLE = "; `anyscale cloud permissions --provider aks` prints the whole role"


class Azure:
    """Safe for threads. Raises `cloud-credentials-missing` when there is nobody to be."""

    def __init__(self, run: Run, subscription: str) -> None:
        self.run = run
        self.subscription_id = subscription
        self.session = Session(run, subscription, role=_ROLE)
        self.subscription = Subscription(self.session)
        self.clusters = Clusters(self.session)
        self.identities = Identities(self.session)
        self.storage = Storage(self.session)
        self.roles = Roles(self.session)
        self.network = Network(self.session)
        self.usages = Usages(self.session)
        self.policies = Policies(self.session)
        self.vaults = Vaults(self.session)

    @cached_property
    def tenant(self) -> str:
        """Asked once."""
        return self.subscription.tenant()

    def blobs(self, account: Account, container: str) -> Blobs:
        """The contents of a container as ourselves."""
        return Blobs(self.session, account.endpoint, container, self.session.credential)

    def blobs_by_key(self, account: Account, container: str) -> Blobs:
        """The same by the account's key, for who may have it and has no role on the contents."""
        key = self.storage.key(account.group, account.name)
        proof = {"account_name": account.name, "account_key": key}
        return Blobs(self.session, account.endpoint, container, proof)
