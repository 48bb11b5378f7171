"""What can be broken or changed in a running sandbox, by name, as it happens in life.

Nothing here goes over the wire: it is what somebody else does behind the
tool's back, and leaves no trace in the recorded calls.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from anyscale_k8s_cli.sandbox.stage import Stage

Fields = Mapping[str, Any]
# Where the roles of this tool are, unless its user names another path.
_ROLE_PATH = "/anyscale-k8s/"
_NOBODY = "system:serviceaccount:elsewhere:nobody"


class NothingToSwitch(LookupError):
    """What is to be changed is not there."""


class Switches:
    """Changes to one sandbox. Every method returns what was changed, for people and tests."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self._breaks = {
            "role-trust": self._break_trust,
            "bucket": self._delete_bucket,
            "oidc-provider": self._delete_oidc_provider,
            "load-balancer": self._remove_load_balancers,
            "registration": self._delete_registration,
            "token": self._expire_token,
        }

    def break_(self, name: str, fields: Fields) -> list[str]:
        """Break a wire. `name` in the fields narrows it. Raises NothingToSwitch."""
        if name not in self._breaks:
            known = ", ".join(self._breaks)
            raise NothingToSwitch(f"there is no {name!r} to break; there are: {known}")
        done = self._breaks[name](fields.get("name"))
        if not done:
            raise NothingToSwitch(f"there is no {name} now")
        return done

    def active_workloads(self, fields: Fields) -> list[str]:
        """Let `count` Ray clusters run on the resource `resource_id`, or on every one."""
        count, wanted = int(fields["count"]), fields.get("resource_id")
        found = [
            resource.id
            for cloud in self._stage.plane.registry.clouds()
            for resource in cloud.resources
            if wanted in (None, resource.id)
        ]
        if not found:
            raise NothingToSwitch("no cloud resource is registered")
        for resource_id in found:
            self._stage.plane.set_active_workloads(resource_id, count)
        return found

    async def delete_cluster(self) -> list[str]:
        """Delete the cluster behind everybody's back."""
        name = self._stage.eks.seed.name
        try:
            await self._stage.eks.delete_cluster()
        except LookupError as gone:
            raise NothingToSwitch(str(gone)) from gone
        return [name]

    def expire_sessions(self) -> list[str]:
        """End every session that a cloud's token service has given out."""
        self._stage.eks.aws.expire_sessions()
        return ["aws"]

    def admin_policies(self, fields: Fields) -> list[str]:
        """Let the AWS administrator do only what `policies` say."""
        self._stage.eks.aws.set_admin_policies(list(fields["policies"]))
        return ["aws"]

    def bucket_being_deleted(self, fields: Fields) -> list[str]:
        """Refuse the next `attempts` to create the bucket `name`."""
        name = str(fields["name"])
        self._stage.eks.aws.name_being_deleted(name, int(fields["attempts"]))
        return [name]

    def _break_trust(self, wanted: str | None) -> list[str]:
        """The roles trust somebody else, and what they had given out is over."""
        account = self._stage.eks.aws.world.account
        roles = [
            role
            for role in account.roles()
            if (role.name == wanted if wanted else role.path.startswith(_ROLE_PATH))
        ]
        for role in roles:
            trust = _without_us(account.trust(role))
            account.iam.update_assume_role_policy(role.name, json.dumps(trust))
        self.expire_sessions()
        return [str(role.arn) for role in roles]

    def _delete_bucket(self, wanted: str | None) -> list[str]:
        """With all that is in it."""
        account = self._stage.eks.aws.world.account
        names = [wanted] if wanted else self._registered_buckets()
        buckets = [bucket for bucket in account.buckets() if bucket.name in names]
        for bucket in buckets:
            bucket.keys.clear()
            account.s3.delete_bucket(bucket.name)
        return [str(bucket.name) for bucket in buckets]

    def _registered_buckets(self) -> list[str]:
        return [
            urlsplit(resource.content["object_storage"]["bucket_name"]).netloc
            for cloud in self._stage.plane.registry.clouds()
            for resource in cloud.resources
        ]

    def _delete_oidc_provider(self, wanted: str | None) -> list[str]:
        account = self._stage.eks.aws.world.account
        found = account.oidc_provider(wanted or self._stage.eks.seed.issuer)
        if found is None:
            return []
        account.iam.delete_open_id_connect_provider(found.arn)
        return [str(found.arn)]

    def _remove_load_balancers(self, _: str | None) -> list[str]:
        """Those that are there go, and no Service gets an address from now on."""
        eks = self._stage.eks
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

    def _delete_registration(self, wanted: str | None) -> list[str]:
        """The clouds are deleted in the console."""
        registry = self._stage.plane.registry
        clouds = [cloud for cloud in registry.clouds() if wanted in (None, cloud.name)]
        for cloud in clouds:
            registry.delete(cloud.id, force=True)
        return [cloud.id for cloud in clouds]

    def _expire_token(self, _: str | None) -> list[str]:
        self._stage.plane.accounts.expire(self._stage.token)
        return [self._stage.plane.seed.email]


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
