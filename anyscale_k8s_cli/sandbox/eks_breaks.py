"""What can go wrong behind the tool's back in the AWS account and its cluster."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from anyscale_k8s_cli.sandbox.eks import EksPlatform
from anyscale_k8s_cli.sandbox.platforms import Break, Registered

# Where the roles of this tool are, unless its user names another path.
_ROLE_PATH = "/anyscale-k8s/"
_NOBODY = "system:serviceaccount:elsewhere:nobody"


@dataclass(frozen=True)
class EksBreaks:
    """`registered` gives the buckets that the control plane knows."""

    eks: EksPlatform
    registered: Registered

    def named(self) -> Mapping[str, Break]:
        return {
            "role-trust": self._break_trust,
            "bucket": self._delete_bucket,
            "oidc-provider": self._delete_oidc_provider,
            "load-balancer": self._remove_load_balancers,
            "kms-key": self._disable_keys,
            "pod-webhook": self._stop_webhook,
        }

    def mended(self) -> Mapping[str, Break]:
        """What somebody else must put right again."""
        return {
            "load-balancer": self._answer_again,
            "kms-key": self._enable_keys,
            "pod-webhook": self._start_webhook,
        }

    def _break_trust(self, wanted: str | None) -> list[str]:
        """The roles trust somebody else, and what they had given out is over."""
        account = self.eks.aws.world.account
        roles = [
            role
            for role in account.roles()
            if (role.name == wanted if wanted else role.path.startswith(_ROLE_PATH))
        ]
        for role in roles:
            trust = _without_us(account.trust(role))
            account.iam.update_assume_role_policy(role.name, json.dumps(trust))
        if roles:
            self.eks.aws.expire_sessions()
        return [str(role.arn) for role in roles]

    def _delete_bucket(self, wanted: str | None) -> list[str]:
        """With all that is in it."""
        account = self.eks.aws.world.account
        names = [wanted] if wanted else self.registered("s3")
        buckets = [bucket for bucket in account.buckets() if bucket.name in names]
        for bucket in buckets:
            bucket.keys.clear()
            account.s3.delete_bucket(bucket.name)
        return [str(bucket.name) for bucket in buckets]

    def _delete_oidc_provider(self, wanted: str | None) -> list[str]:
        account = self.eks.aws.world.account
        found = account.oidc_provider(wanted or self.eks.seed.issuer)
        if found is None:
            return []
        account.iam.delete_open_id_connect_provider(found.arn)
        return [str(found.arn)]

    def _remove_load_balancers(self, _: str | None) -> list[str]:
        """Those that are there go, and no Service gets an address from now on."""
        eks = self.eks
        eks.load_balancers.answers = False
        elastic = eks.aws.world.elastic
        gone = elastic.load_balancers()
        for balancer in gone:
            elastic.delete(balancer)
        store = eks.cluster.store
        for service in store.items("services"):
            if service["spec"].get("type") == "LoadBalancer":
                store.set_status("services", service, {"loadBalancer": {}}, "sandbox")
        return [balancer.arn for balancer in gone] or ["none from now on"]

    def _answer_again(self, _: str | None) -> list[str]:
        """Services that wait for an address get one."""
        self.eks.load_balancers.answers = True
        return ["answering"]

    def _disable_keys(self, wanted: str | None) -> list[str]:
        """Nobody can read or write what is encrypted with them."""
        kms, region = self.eks.aws.world.kms, self.eks.seed.region
        arns = [kms.arn(seed.id, region) for seed in kms.seeds if wanted in (None, seed.id)]
        found = list(dict.fromkeys(arn for arn in arns if arn is not None))
        kms.disabled.update(found)
        return found

    def _stop_webhook(self, _: str | None) -> list[str]:
        """Pods that are made from now on get no identity, and come up all the same."""
        self.eks.aws.world.webhook_answers = False
        return [self.eks.seed.name]

    def _start_webhook(self, _: str | None) -> list[str]:
        self.eks.aws.world.webhook_answers = True
        return [self.eks.seed.name]

    def _enable_keys(self, _: str | None) -> list[str]:
        disabled = self.eks.aws.world.kms.disabled
        enabled = sorted(disabled)
        disabled.clear()
        return enabled


def _without_us(trust: Mapping[str, Any]) -> dict[str, Any]:
    """A trust policy for somebody else's service account, or for machines where it named none."""
    changed = json.loads(json.dumps(trust))
    for statement in changed["Statement"]:
        if "Federated" not in statement.get("Principal", {}):
            statement["Principal"] = {"Service": "ec2.amazonaws.com"}
            statement["Action"] = "sts:AssumeRole"
        for conditions in statement.get("Condition", {}).values():
            for name in conditions:
                if name.endswith(":sub"):
                    conditions[name] = _NOBODY
    return dict(changed)
