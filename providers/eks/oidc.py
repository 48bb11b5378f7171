"""IAM's OIDC provider for the cluster's issuer: one per cluster, shared by all who trust it."""

from __future__ import annotations

import shlex
from collections.abc import Collection, Mapping, Sequence
from typing import ClassVar

from anyscale_k8s_cli.install import MANAGED_BY, Install, marks
from anyscale_k8s_cli.providers.eks import tags, trust
from anyscale_k8s_cli.providers.eks.aws import Aws
from anyscale_k8s_cli.providers.eks.sdk.iam import OidcProviderDescription
from anyscale_k8s_cli.resource import (
    Claim,
    FieldChange,
    Observed,
    SharedResource,
    Unfit,
    Users,
    differences,
)

# IAM answers from copies that are seconds old.
SETTLE_SECONDS = 30.0


class OidcProvider(SharedResource[str]):
    """Its output is its ARN, which follows from the issuer.

    `ignored_roles` are the ARNs of roles of this install: their trust is no other use.
    """

    kind: ClassVar[str] = "iam-oidc-provider"
    # Its mark alone does not lead to the install: the role, which does, goes after it.
    goes_first: ClassVar[bool] = True

    def __init__(
        self,
        aws: Aws,
        install: Install,
        issuer: str,
        user_tags: Mapping[str, str],
        *,
        claim: Claim = Claim.SHARE,
        ignored_roles: Collection[str] = (),
    ) -> None:
        host = issuer.removeprefix("https://")
        super().__init__(
            key=f"aws:iam-oidc-provider/{host}",
            title=f"IAM OIDC provider of cluster {install.cluster_name}",
            install=install,
            claim=claim,
        )
        self._aws = aws
        self._issuer = issuer
        self._tags = tags.shared(install, user_tags)
        self._ignored_roles = ignored_roles

    @property
    def how_to_bring(self) -> str:
        return (
            f"aws iam create-open-id-connect-provider --url {self._issuer} "
            f"--client-id-list {self._aws.audience}"
        )

    @property
    def arn(self) -> str:
        return self._aws.caller.oidc_provider(self._issuer)

    def read(self) -> Observed[str] | None:
        found = self._aws.iam.oidc_provider(self.arn)
        if found is None:
            return None
        return Observed(
            id=found.arn,
            output=found.arn,
            marks=marks(found.tags),
            made_by_us=found.tags.get(tags.MANAGED_BY_TAG) == MANAGED_BY,
            unfit=self._unfit(found),
            state=found,
        )

    def diff(self, observed: Observed[str]) -> Sequence[FieldChange]:
        found: OidcProviderDescription = observed.state
        changes = differences("tag", found.tags, self._tags)
        if self._aws.audience not in found.client_ids:
            ids = ", ".join(sorted(found.client_ids)) or "none"
            changes.append(FieldChange("client ids", ids, f"with {self._aws.audience}"))
        return changes

    def create(self) -> Observed[str]:
        self._aws.iam.create_oidc_provider(self._issuer, self._aws.audience, self._tags)
        observed = self._settled()
        # Another install may have made it a moment ago: then our mark is what is missing.
        return self.update(observed, self.diff(observed)) if observed.made_by_us else observed

    def update(self, observed: Observed[str], changes: Sequence[FieldChange]) -> Observed[str]:
        if not changes:
            return observed
        found: OidcProviderDescription = observed.state
        if differences("tag", found.tags, self._tags):
            self._aws.iam.tag_oidc_provider(self.arn, self._tags)
        if self._aws.audience not in found.client_ids:
            self._aws.iam.add_client_id(self.arn, self._aws.audience)
        return self._settled()

    def delete(self, observed: Observed[str]) -> None:
        self._aws.iam.delete_oidc_provider(observed.id)
        self._aws.run.wait_gone(
            lambda: self._aws.iam.oidc_provider(self.arn),
            by="IAM",
            what=self.title,
            timeout=SETTLE_SECONDS,
        )

    def ready(self, observed: Observed[str]) -> Observed[str]:
        return observed

    def others(self, observed: Observed[str]) -> Users:
        """Roles, of whatever tool, that let identities of this provider in."""
        found = tuple(
            f"the trust of {arn}"
            for arn, document in self._aws.iam.role_trusts()
            if arn not in self._ignored_roles and trust.mentions(document, observed.id)
        )
        query = f"Roles[?contains(to_string(AssumeRolePolicyDocument), '{observed.id}')].Arn"
        return Users(found, f"aws iam list-roles --output text --query {shlex.quote(query)}")

    def unmark(self, observed: Observed[str]) -> None:
        self._aws.iam.untag_oidc_provider(observed.id, [self.install.mark])

    def _unfit(self, found: OidcProviderDescription) -> tuple[Unfit, ...]:
        audience = self._aws.audience
        if audience in found.client_ids:
            return ()
        return (
            Unfit(
                f"it does not admit tokens made for {audience}",
                "aws iam add-client-id-to-open-id-connect-provider "
                f"--open-id-connect-provider-arn {found.arn} --client-id {audience}",
            ),
        )

    def _settled(self) -> Observed[str]:
        return self._aws.run.wait_shown(
            self.read, by="IAM", what=self.title, timeout=SETTLE_SECONDS
        )
