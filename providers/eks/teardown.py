"""What is an install's own in the account, for teardown with no ledger and no cluster."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Any

from anyscale_k8s_cli.errors import CloudFailure
from anyscale_k8s_cli.install import Install
from anyscale_k8s_cli.parallel import side_by_side
from anyscale_k8s_cli.providers.eks import association, bucket, identity, leftovers, search, tags
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
    name, role, issuers, balancers, bound = side_by_side(
        lambda: _bucket(aws, install),
        lambda: _role(aws, install),
        lambda: _marked_issuers(aws, install),
        lambda: leftovers.find(aws, install) if cluster_deleted else [],
        lambda: None if cluster_deleted else association.of_install(aws, install, cluster),
    )
    ignored = role.arn if role else ""
    providers = [OidcProvider(aws, install, issuer, {}, ignored_role=ignored) for issuer in issuers]
    found: list[Resource[Any]] = list(providers)
    ours = None if role is None else _as_it_is(aws, install, role, providers)
    if ours is not None:
        found.append(ours)
    if bound is not None:
        found.append(association.PodIdentity(aws, install, cluster, ours, bound))
    if name is not None:
        place = bucket.BucketPlace(name, install.region, PATIENCE)
        found.append(bucket.Bucket(aws, install, place, tags.own(install, {}), ()))
    found += [leftovers.LeftoverLoadBalancer(aws, install, item, PATIENCE) for item in balancers]
    return found


def _as_it_is(
    aws: Aws, install: Install, role: RoleDescription, needs: Sequence[Resource[Any]]
) -> identity.Role:
    """A role that should be as it is: here nothing is changed, only removed."""
    policy = aws.iam.inline_policy(role.name, identity.POLICY_NAME) or {}
    wishes = identity.RoleWishes(
        name=role.name,
        path=role.path,
        trust=role.trust,
        policy=lambda: policy,
        boundary=role.boundary,
        tags=role.tags,
    )
    return identity.Role(aws, install, wishes, needs)


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


def _role(aws: Aws, install: Install) -> RoleDescription | None:
    """The install's role: by its usual name, else by the cloud's path, else by its trust."""

    def tags_of(name: str) -> Mapping[str, str]:
        role = aws.iam.role(name)
        return role.tags if role else {}

    name = _first_ours([identity.default_name(install)], tags_of, install)
    if name is None:
        below = aws.iam.roles(identity.default_path(install.cloud))
        name = _first_ours(below, tags_of, install)
    if name is None:
        name = _first_ours(search.operator_roles(aws, install.namespace), tags_of, install)
    return aws.iam.role(name) if name is not None else None


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
