"""What can go wrong behind the tool's back in the Google project and its clusters."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from anyscale_k8s_cli.sandbox.gke import GkePlatform
from anyscale_k8s_cli.sandbox.google.roles import TOKEN_CREATOR, WORKLOAD_IDENTITY_USER
from anyscale_k8s_cli.sandbox.google.seed import AUTOMATION, GCE_METADATA, GKE_METADATA, email_of
from anyscale_k8s_cli.sandbox.platforms import Break, Registered


@dataclass(frozen=True)
class GkeBreaks:
    """`registered` gives the buckets that the control plane knows."""

    gke: GkePlatform
    registered: Registered

    def named(self) -> Mapping[str, Break]:
        return {
            "role-trust": self._unbind_kubernetes,
            "token-creator": self._unbind_itself,
            "workload-identity": self._switch_off_pools,
            "policy-overwritten": self._meddle,
            "service-account": self._delete_account,
            "bucket": self._delete_bucket,
            "bucket-access": self._close_bucket,
            "load-balancer": self._remove_load_balancers,
        }

    def mended(self) -> Mapping[str, Break]:
        """What somebody else must put right again."""
        return {"load-balancer": self._answer_again, "workload-identity": self._switch_on_pools}

    def _unbind_kubernetes(self, wanted: str | None) -> list[str]:
        """Kubernetes service accounts may not act as the accounts any more."""
        changed = self._withdraw(WORKLOAD_IDENTITY_USER, wanted)
        self.gke.google.expire_tokens()
        return changed

    def _unbind_itself(self, wanted: str | None) -> list[str]:
        """The accounts may not make tokens for themselves any more."""
        return self._withdraw(TOKEN_CREATOR, wanted)

    def _withdraw(self, role: str, wanted: str | None) -> list[str]:
        project, changed = self.gke.google.project, []
        for account in project.accounts.live():
            if account.email == email_of(AUTOMATION, project.id):
                continue
            kept = [grant for grant in account.policy.grants if grant.role != role]
            if wanted in (None, account.email) and len(kept) < len(account.policy.grants):
                account.policy.grants = kept
                account.policy.revision += 1
                changed.append(account.email)
        return changed

    def _switch_off_pools(self, wanted: str | None) -> list[str]:
        """The node pools of a cluster go back to Compute Engine's metadata server."""
        name = wanted or self.gke.main
        self.gke.set_metadata_mode(GCE_METADATA, name)
        self.gke.google.expire_tokens()
        return [name]

    def _switch_on_pools(self, wanted: str | None) -> list[str]:
        name = wanted or self.gke.main
        self.gke.set_metadata_mode(GKE_METADATA, name)
        return [name]

    def _meddle(self, _: str | None) -> list[str]:
        """Somebody else changes the next policy that is read, before it can be written."""
        self.gke.google.project.rules.meddling.left += 1
        return ["the next policy that is read"]

    def _delete_account(self, wanted: str | None) -> list[str]:
        """The accounts that Kubernetes service accounts may act as, or one."""
        accounts = self.gke.google.project.accounts
        found = [
            account
            for account in accounts.live()
            if (
                account.email == wanted
                if wanted
                else any(grant.role == WORKLOAD_IDENTITY_USER for grant in account.policy.grants)
            )
        ]
        for account in found:
            accounts.delete(account)
        return [account.email for account in found]

    def _buckets(self, wanted: str | None) -> list[str]:
        return [wanted] if wanted else self.registered("gs")

    def _delete_bucket(self, wanted: str | None) -> list[str]:
        """With all that is in it."""
        buckets = self.gke.google.buckets
        found = [bucket for name in self._buckets(wanted) if (bucket := buckets.find(name))]
        for bucket in found:
            buckets.drop(bucket)
        return [bucket.name for bucket in found]

    def _close_bucket(self, wanted: str | None) -> list[str]:
        """Nobody but the project's owners has a role on the bucket any more."""
        buckets, changed = self.gke.google.buckets, []
        for name in self._buckets(wanted):
            bucket = buckets.find(name)
            if bucket is not None:
                policy = bucket.policy
                policy.grants = [g for g in policy.grants if g.member.startswith("project")]
                policy.revision += 1
                changed.append(name)
        return changed

    def _remove_load_balancers(self, wanted: str | None) -> list[str]:
        """Those that are there go, and no Service gets an address from now on."""
        cluster = self.gke.cluster(wanted or "")
        cluster.load_balancers.answers = False
        gone = self.gke.google.balancing.remove_all(cluster.seed.name)
        store = cluster.kubernetes.store
        for service in store.items("services"):
            if service["spec"].get("type") == "LoadBalancer":
                store.set_status("services", service, {"loadBalancer": {}}, "sandbox")
        return [rule.name for rule in gone] or ["none from now on"]

    def _answer_again(self, wanted: str | None) -> list[str]:
        """Services that wait for an address get one."""
        cluster = self.gke.cluster(wanted or "")
        cluster.load_balancers.answers = True
        return [cluster.seed.name]
