"""What is an install's own in the account, for teardown with no ledger and no cluster."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Any

from anyscale_k8s_cli.errors import CloudFailure
from anyscale_k8s_cli.holders import HOLDERS, OPERATOR, WORKLOADS, Holder
from anyscale_k8s_cli.install import Install
from anyscale_k8s_cli.parallel import side_by_side
from anyscale_k8s_cli.providers.eks import (
    association,
    bucket,
    identity,
    leftovers,
    search,
    tags,
    trust,
)
from anyscale_k8s_cli.providers.eks.arns import Arn
from anyscale_k8s_cli.providers.eks.aws import Aws
from anyscale_k8s_cli.providers.eks.oidc import OidcProvider
from anyscale_k8s_cli.providers.eks.sdk.iam import RoleDescription
from anyscale_k8s_cli.resource import Resource
from anyscale_k8s_cli.spec import TimeoutsSpec

PATIENCE = TimeoutsSpec().deletion


def find_owned(aws: Aws, install: Install, *, cluster_deleted: bool) -> list[Resource[Any]]:
    """The objects that bear the install's locator or mark, by usual names and by tags.

    Load balancers are among them only once the cluster is deleted: until then
    they are its controllers' to remove.
    """
    cluster = Arn.parse(install.cluster).name
    name, roles, issuers, balancers, bound = side_by_side(
        lambda: _bucket(aws, install),
        lambda: _roles(aws, install),
        lambda: _marked_issuers(aws, install),
        lambda: leftovers.find(aws, install) if cluster_deleted else [],
        lambda: [] if cluster_deleted else association.of_install(aws, install, cluster),
    )
    ignored = [role.arn for role in roles]
    providers = [OidcProvider(aws, install, item, {}, ignored_roles=ignored) for item in issuers]
    found: list[Resource[Any]] = list(providers)
    ours = {role.arn: _as_it_is(aws, install, role, providers) for role in roles}
    found += ours.values()
    found += [
        association.PodIdentity(aws, install, cluster, ours.get(arn), wishes)
        for arn, wishes in bound
    ]
    if name is not None:
        place = bucket.BucketPlace(name, install.region, PATIENCE)
        found.append(bucket.Bucket(aws, install, place, tags.own(install, {}), ()))
    found += [leftovers.LeftoverLoadBalancer(aws, install, item, PATIENCE) for item in balancers]
    return found


def _as_it_is(
    aws: Aws, install: Install, role: RoleDescription, needs: Sequence[Resource[Any]]
) -> identity.Role:
    """A role that should be as it is: here nothing is changed, only removed."""
    holder = _holder(role, install)
    policy = aws.iam.inline_policy(role.name, holder.account) or {}
    wishes = identity.RoleWishes(
        name=role.name,
        path=role.path,
        trust=role.trust,
        policy=lambda: policy,
        boundary=role.boundary,
        tags=role.tags,
        holder=holder,
    )
    return identity.Role(aws, install, wishes, needs)


def _holder(role: RoleDescription, install: Install) -> Holder:
    """Whose it is, by its trust; a name may be the user's own."""
    theirs = WORKLOADS.subject(install.namespace)
    return WORKLOADS if theirs in trust.subjects(role.trust) else OPERATOR


def _bucket(aws: Aws, install: Install) -> str | None:
    """The name of the install's bucket: the usual one, else that with its locator.

    The usual one also with no tag at all: a run may have died before it wrote them.
    """

    def tags_of(name: str) -> Mapping[str, str] | None:
        try:
            return aws.s3.tags(name)
        except CloudFailure as failure:
            # Under our name there may be somebody else's bucket, or none.
            if failure.denied or failure.api_code == "NoSuchBucket":
                return None
            raise

    usual = bucket.default_name(install)
    found = tags_of(usual)
    if found is not None and (not found or _is_ours(found, install)):
        return usual
    tagged = aws.account.tagged({tags.INSTALL_TAG: install.id}, ["s3"])
    names = [Arn.parse(item.arn).name for item in tagged]
    return _first_ours(names, lambda name: tags_of(name) or {}, install)


def _roles(aws: Aws, install: Install) -> list[RoleDescription]:
    """The install's roles: by their usual names, else by their path, else by their trust.

    One is mostly all there is, which only a look below its path can tell: who may not look
    there goes on with what was found.
    """

    def ours(names: Iterable[str]) -> list[RoleDescription]:
        roles = side_by_side(*(partial(aws.iam.role, name) for name in names))
        return [role for role in roles if role is not None and _is_ours(role.tags, install)]

    usual = ours(identity.default_name(install, holder) for holder in HOLDERS)
    if len(usual) == len(HOLDERS):
        return usual
    path = usual[0].path if usual else identity.default_path(install.cloud)
    try:
        below = ours(aws.iam.roles(path))
    except CloudFailure as failure:
        if not (usual and failure.denied):
            raise
        below = usual
    return below or ours(search.operator_roles(aws, install.namespace))


def _marked_issuers(aws: Aws, install: Install) -> list[str]:
    """The issuers whose provider bears the install's mark."""
    arns = aws.iam.oidc_providers()
    if not arns:
        return []
    found = side_by_side(*(partial(aws.iam.oidc_provider, arn) for arn in arns))
    return [
        "https://" + Arn.parse(item.arn).resource.partition("/")[2]
        for item in found
        if item is not None and install.mark in item.tags
    ]


def _first_ours(
    names: Iterable[str], tags_of: Callable[[str], Mapping[str, str]], install: Install
) -> str | None:
    for name in names:
        if _is_ours(tags_of(name), install):
            return name
    return None


def _is_ours(found: Mapping[str, str], install: Install) -> bool:
    owner = Install.from_locator(found)
    return owner is not None and owner.id == install.id
