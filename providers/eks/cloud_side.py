"""The objects outside the cluster, put together from spec, cluster and install."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import cached_property, partial
from typing import Any

from anyscale_k8s_cli.cloud_side import Acting, CloudSide, Identity, Storage, vouched_for
from anyscale_k8s_cli.holders import HOLDERS, OPERATOR, WORKLOADS, Holder
from anyscale_k8s_cli.install import Install
from anyscale_k8s_cli.provider import Cluster, Made, PolicyDocument
from anyscale_k8s_cli.providers.eks import association, bucket, identity, labels, policies, tags
from anyscale_k8s_cli.providers.eks.arns import Arn
from anyscale_k8s_cli.providers.eks.aws import Aws
from anyscale_k8s_cli.providers.eks.boundary import Bounded
from anyscale_k8s_cli.providers.eks.bucket_settings import (
    BucketWishes,
    protection_of_ours,
    settings,
)
from anyscale_k8s_cli.providers.eks.discovery import EksFacts
from anyscale_k8s_cli.providers.eks.oidc import OidcProvider
from anyscale_k8s_cli.providers.eks.proof import Proof
from anyscale_k8s_cli.providers.eks.rights import Names
from anyscale_k8s_cli.providers.eks.trust import Bearer, Pod, TokenBearer
from anyscale_k8s_cli.resource import NO_TAGS, Claim, Resource
from anyscale_k8s_cli.spec import CloudSpec

# https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html
_BUCKET_NAME = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
# Where Ray's pods have the operator's identity.
_SAME = "identity.workloads=same"


def build(
    aws: Aws,
    spec: CloudSpec,
    cluster: Cluster,
    install: Install,
    console_origin: str,
    dropped_tags: Mapping[str, str],
) -> CloudSide:
    """What should be there. Nothing is asked of AWS yet."""
    builder = _Builder(aws, spec, cluster, install, console_origin, dropped_tags)
    variable = labels.POD_IDENTITY_VARIABLE if builder.pod_identity else labels.IRSA_VARIABLE
    return vouched_for(builder.storage, builder.operator, builder.workloads, (variable,))


def bounded(aws: Aws, spec: CloudSpec, cluster: Cluster, install: Install) -> list[Bounded]:
    """The roles that are made, which a permissions boundary is to bound."""
    builder = _Builder(aws, spec, cluster, install, "", NO_TAGS)
    holders = [
        *([] if spec.existing.identity else [OPERATOR]),
        *([WORKLOADS] if spec.identity.separate else []),
    ]
    return [
        Bounded(identity.role_name(spec, install, holder), builder.policy(holder))
        for holder in holders
    ]


def makes(install: Install) -> tuple[Made, ...]:
    """What is made for an install that says nothing of names."""
    path = identity.default_path(install.cloud)
    return (
        Made(
            "S3 bucket",
            bucket.default_name(install),
            "the cluster's region",
            named="bucket",
            unless=("existing.bucket",),
            data=True,
        ),
        Made(
            "IAM OIDC provider",
            "the cluster's issuer",
            "account, shared by all who use it",
            ("vouches for the cluster's service accounts",),
            unless=("existing.oidc_provider", "identity.kind=pod-identity"),
        ),
        Made(
            "EKS Pod Identity association, in place of the OIDC provider",
            f"of {install.namespace}/{OPERATOR.account}",
            "the cluster",
            ("gives pods of that service account the role",),
            unless=("identity.kind=irsa", "identity.kind=auto"),
        ),
        Made(
            "IAM role",
            f"{path}{identity.default_name(install)}",
            "account",
            (
                f"assumed by {OPERATOR.subject(install.namespace)}",
                *policies.rights(policies.operator("")),
            ),
            named=OPERATOR.named("role"),
            unless=("existing.identity",),
        ),
        Made(
            "EKS Pod Identity association, in place of the OIDC provider",
            f"of {install.namespace}/{WORKLOADS.account}",
            "the cluster",
            ("gives pods of that service account the workloads' role",),
            unless=("identity.kind=irsa", "identity.kind=auto", _SAME),
        ),
        Made(
            "IAM role of Ray's pods",
            f"{path}{identity.default_name(install, WORKLOADS)}",
            "account",
            (
                f"assumed by {WORKLOADS.subject(install.namespace)}",
                *policies.rights(policies.workloads("")),
            ),
            named=WORKLOADS.named("role"),
            unless=(_SAME,),
        ),
    )


def grants(spec: CloudSpec, install: Install, bucket: str) -> tuple[PolicyDocument, ...]:
    """Whom the role lets in, and what it may, before the account is known."""
    arn = f"arn:<partition>:s3:::{bucket}"
    found: list[PolicyDocument] = []
    if not spec.existing.identity:
        found += _documents(spec, install, OPERATOR, policies.operator(arn))
    if spec.identity.separate:
        found += _documents(spec, install, WORKLOADS, policies.workloads(arn), "workloads' ")
    return tuple(found)


def _documents(
    spec: CloudSpec, install: Install, holder: Holder, allowed: policies.Policy, whose: str = ""
) -> tuple[PolicyDocument, ...]:
    namespace = install.namespace
    if spec.identity.kind == "pod-identity":
        trusted = policies.trust_pods("<the cluster's ARN>", namespace, holder)
    else:
        trusted = policies.trust(
            "<the OIDC provider's ARN>",
            "<the cluster's issuer>",
            namespace,
            "<STS's audience>",
            holder,
        )
    return (
        policies.document(f"{whose}trust policy", trusted),
        policies.document(f"{whose}permissions policy", allowed),
    )


def protection(spec: CloudSpec) -> dict[str, str]:
    return protection_of_ours(spec.rules.kms_key)


def names(spec: CloudSpec, install: Install) -> Names:
    """What setup will make, by name."""
    made_bucket = spec.rules.names.get("bucket") or bucket.default_name(install)
    path = _role_path(spec, install)
    given = spec.existing.identity
    made_role = f"{path}{identity.role_name(spec, install)}"
    return Names(
        bucket="" if spec.existing.bucket else made_bucket,
        role="" if given else made_role,
        given_role=Arn.parse(given).resource.removeprefix("role") if given else made_role,
        workload_role=f"{path}{identity.role_name(spec, install, WORKLOADS)}"
        * spec.identity.separate,
        role_tags=tags.own(install, spec.rules.tags),
        provider_tags=tags.shared(install, spec.rules.tags),
        boundary=spec.rules.permissions_boundary,
    )


def bucket_name(given: str) -> str:
    """The name in what a user calls a bucket: a name, `s3://name` or an ARN; empty if in none."""
    name = given.removeprefix("s3://").rstrip("/")
    if name.startswith("arn:"):
        try:
            name = Arn.parse(name).resource
        except ValueError:
            return ""
    return name if _BUCKET_NAME.fullmatch(name) else ""


def slashed(path: str) -> str:
    """A path of IAM begins and ends with a slash."""
    inner = path.strip("/")
    return f"/{inner}/" if inner else "/"


def _role_path(spec: CloudSpec, install: Install) -> str:
    given = spec.rules.role_path
    return slashed(given) if given else identity.default_path(install.cloud)


class _Builder:
    """Makes each object once; they know each other by their names."""

    def __init__(
        self,
        aws: Aws,
        spec: CloudSpec,
        cluster: Cluster,
        install: Install,
        console_origin: str,
        dropped_tags: Mapping[str, str],
    ) -> None:
        self._aws = aws
        self._spec = spec
        self._install = install
        self._origin = console_origin
        self._dropped = dropped_tags
        self._facts: EksFacts = cluster.facts
        self._region = cluster.region
        self._cluster = cluster

    @property
    def bucket_name(self) -> str:
        given = self._spec.existing.bucket
        if given:
            return bucket_name(given)
        return self._spec.rules.names.get("bucket") or bucket.default_name(self._install)

    @cached_property
    def storage(self) -> Resource[Storage]:
        if self._spec.existing.bucket:
            return self._adopted_bucket
        wishes = BucketWishes(self._tags, self._origin, lambda: self._kms_key_arn, self._dropped)
        place = bucket.BucketPlace(self.bucket_name, self._region, self._spec.timeouts.deletion)
        return bucket.Bucket(
            self._aws,
            self._install,
            place,
            self._tags,
            settings(self._aws.s3, self.bucket_name, wishes),
        )

    @property
    def pod_identity(self) -> bool:
        return self._facts.pod_identity

    def association(self, role: Resource[Identity]) -> Resource[str]:
        """The user's own role may have one already that is the user's too."""
        name, there = self._cluster.name, self._facts.association
        theirs = there is not None and Install.from_locator(there.tags) is None
        given = self._spec.existing
        if given.identity and (theirs or given.oidc_provider == "use"):
            return association.AdoptedPodIdentity(self._aws, self._install, name, role)
        wishes = association.AssociationWishes(self._tags, self._dropped)
        return association.PodIdentity(self._aws, self._install, name, role, wishes)

    @property
    def operator(self) -> Acting:
        if self.pod_identity:
            return self._bound(self.role, self.association(self.role))
        return self._annotated(self.role, self.vouching)

    @property
    def workloads(self) -> Acting | None:
        """What Ray's pods are given apart; nothing before it is known where they are to run."""
        placed = self.pod_identity or bool(self._facts.issuer)
        if not self._spec.identity.separate or not placed:
            return None
        role = identity.WorkloadRole(self._aws, self._install, *self._asked(WORKLOADS))
        if not self.pod_identity:
            return self._annotated(role)
        wishes = association.AssociationWishes(self._tags, self._dropped, WORKLOADS.account)
        name = self._cluster.name
        bound = association.PodIdentity(self._aws, self._install, name, role, wishes)
        return self._bound(role, bound)

    def _bound(self, role: Resource[Identity], bound: Resource[str]) -> Acting:
        """Its keys are handed out in the cluster alone, so nothing is proven from here."""
        return Acting((role, bound), role, bindings=(bound,))

    def _annotated(
        self, role: Resource[Identity], vouching: tuple[Resource[Any], ...] = ()
    ) -> Acting:
        proof = self.proof(role)
        return Acting((*vouching, role), role, labels.ROLE_ANNOTATION, proof)

    def proof(self, role: Resource[Identity]) -> Proof:
        patience = self._spec.timeouts.identity
        return Proof(self._aws, lambda: role.output.registered, self.bucket_name, patience)

    @property
    def vouching(self) -> tuple[OidcProvider, ...]:
        """Who vouches for the operator; nobody before it is known where it is to run."""
        return (self.oidc_provider,) if self._facts.issuer else ()

    @cached_property
    def oidc_provider(self) -> OidcProvider:
        use = self._spec.existing.oidc_provider == "use"
        path = _role_path(self._spec, self._install)
        names = [identity.role_name(self._spec, self._install, holder) for holder in HOLDERS]
        return OidcProvider(
            self._aws,
            self._install,
            self._facts.issuer,
            self._spec.rules.tags,
            claim=Claim.ADOPT if use else Claim.SHARE,
            ignored_roles=[self._facts.caller.iam(f"role{path}{name}") for name in names],
        )

    @cached_property
    def role(self) -> Resource[Identity]:
        given = self._spec.existing.identity
        if given:
            use = identity.RoleUse(self._bearer, self._bucket_arn)
            needed = () if self.pod_identity else self.vouching
            return identity.AdoptedRole(self._aws, self._install, given, use, needs=needed)
        return identity.Role(self._aws, self._install, *self._asked(OPERATOR))

    def _asked(self, holder: Holder) -> tuple[identity.RoleWishes, Sequence[Resource[Any]]]:
        """Of a role that we make, with what it needs."""
        wishes = identity.RoleWishes(
            name=identity.role_name(self._spec, self._install, holder),
            path=_role_path(self._spec, self._install),
            trust=self._trust(holder),
            policy=partial(self.policy, holder),
            boundary=self._spec.rules.permissions_boundary,
            tags=self._tags,
            dropped_tags=self._dropped,
            holder=holder,
            placed=bool(self._spec.rules.role_path),
        )
        needs: list[Resource[Any]] = [] if self.pod_identity else [self.oidc_provider]
        if self._spec.existing.bucket:
            # Its key is a part of the policy, and must be of a bucket that is there.
            needs.append(self.storage)
        return wishes, needs

    @cached_property
    def _adopted_bucket(self) -> bucket.AdoptedBucket:
        return bucket.AdoptedBucket(
            self._aws, self._install, self.bucket_name, self._region, self._origin
        )

    @cached_property
    def _tags(self) -> dict[str, str]:
        return tags.own(self._install, self._spec.rules.tags)

    @property
    def _bucket_arn(self) -> str:
        return self._facts.caller.bucket(self.bucket_name)

    @property
    def _bearer(self) -> Bearer | None:
        namespace = self._install.namespace
        if self.pod_identity:
            return Pod(self._cluster.id, namespace)
        if not self._facts.issuer:
            return None
        return TokenBearer(
            self.oidc_provider.arn,
            self._facts.issuer,
            OPERATOR.subject(namespace),
            self._facts.audience,
        )

    def _trust(self, holder: Holder) -> policies.Policy:
        if self.pod_identity:
            return policies.trust_pods(self._cluster.id, self._install.namespace, holder)
        return policies.trust(
            self.oidc_provider.arn,
            self._facts.issuer,
            self._install.namespace,
            self._facts.audience,
            holder,
        )

    def policy(self, holder: Holder) -> policies.Policy:
        allowed = policies.operator if holder is OPERATOR else policies.workloads
        return allowed(self._bucket_arn, self._kms_key_arn)

    @cached_property
    def _kms_key_arn(self) -> str | None:
        """The key's ARN, which policies want; asked once, when first needed."""
        given = self._spec.rules.kms_key
        if self._spec.existing.bucket:
            given = self._adopted_bucket.kms_key()
        if not given or ":key/" in given:
            return given
        return self._aws.account.kms_key_arn(given)
