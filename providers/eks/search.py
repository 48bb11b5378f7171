"""Finding installs and what is theirs with no ledger and no cluster: by locators in tags."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from fnmatch import fnmatchcase
from functools import partial

from anyscale_k8s_cli.errors import CloudFailure
from anyscale_k8s_cli.holders import HOLDERS
from anyscale_k8s_cli.install import MANAGED_BY, Install
from anyscale_k8s_cli.parallel import side_by_side
from anyscale_k8s_cli.provider import Looking, Search
from anyscale_k8s_cli.providers.eks import identity, leftovers, tags, trust
from anyscale_k8s_cli.providers.eks.arns import Arn
from anyscale_k8s_cli.providers.eks.aws import Aws
from anyscale_k8s_cli.providers.eks.discovery import check_account
from anyscale_k8s_cli.spec import Scope

# Without a region each bucket is asked for its tags, one call each.
MOST_BUCKETS = 200
_OUR_NAMES = re.compile(r".*-[0-9a-f]{8}(-\d+)?")


def search(aws: Aws, scope: Scope, cloud: str | None) -> Search:
    """Installs by the tags of roles, buckets and load balancers, narrowed by the scope.

    What may not be looked at is told as unsearched; nothing is guessed.
    """
    check_account(aws.caller, scope.account.scope)
    account = aws.caller.account
    looking = Looking()

    def ours(found: Iterable[Mapping[str, str]]) -> dict[str, Install]:
        installs = (Install.from_locator(pairs) for pairs in found)
        return {
            install.id: install
            for install in installs
            if install is not None and _fits(install, account, scope, cloud)
        }

    place = f"IAM roles of account {account}"
    installs = ours(looking.at(f"{place} below {identity.DEFAULT_PATH}", partial(_of_roles, aws)))
    tagged = _in_region(looking, aws, scope.region) if scope.region else _of_buckets(looking, aws)
    installs |= ours(tagged)
    if not installs:
        # A company's own path for roles, and its own bucket.
        installs = ours(looking.at(f"{place} that trust an operator", partial(_of_trusts, aws)))
    return Search(tuple(installs.values()), tuple(looking.searched), tuple(looking.unsearched))


def _fits(install: Install, account: str, scope: Scope, cloud: str | None) -> bool:
    return (
        install.provider == "eks"
        and install.account == account
        and cloud in (None, install.cloud)
        and scope.region in (None, install.region)
        and scope.cluster.name in (None, install.cluster, Arn.parse(install.cluster).name)
    )


def _of_roles(aws: Aws) -> list[Mapping[str, str]]:
    """The tags of all roles below our path. Listing roles does not tell them."""
    return _role_tags(aws, aws.iam.roles(identity.DEFAULT_PATH))


def _of_trusts(aws: Aws) -> list[Mapping[str, str]]:
    """The tags of all roles, of whatever path, that trust some operator's service account."""
    return _role_tags(aws, operator_roles(aws))


def operator_roles(aws: Aws, namespace: str | None = None) -> list[str]:
    """The names of the roles whose trust names a service account of an install's.

    Of one namespace, if given.
    """
    wanted = [holder.subject(namespace or "*") for holder in HOLDERS]
    return [
        Arn.parse(arn).name
        for arn, document in aws.iam.role_trusts()
        if any(
            fnmatchcase(found, pattern) for found in trust.subjects(document) for pattern in wanted
        )
    ]


def _role_tags(aws: Aws, names: list[str]) -> list[Mapping[str, str]]:
    roles = side_by_side(*(partial(aws.iam.role, name) for name in names))
    return [role.tags for role in roles if role is not None]


def _in_region(looking: Looking, aws: Aws, region: str) -> list[Mapping[str, str]]:
    """The load balancer tells of an install that uses a bucket and a role of its user's."""
    types = ["s3", leftovers.LOAD_BALANCER_TYPE]
    return looking.at(
        f"S3 buckets and load balancers of account {aws.caller.account} in {region}",
        lambda: [
            item.tags for item in aws.account.tagged({tags.MANAGED_BY_TAG: MANAGED_BY}, types)
        ],
    )


def _of_buckets(looking: Looking, aws: Aws) -> list[Mapping[str, str]]:
    names = looking.at(f"S3 buckets of account {aws.caller.account}", aws.s3.names)
    looking.unsearched.append("load balancers: give --region to have them searched")
    # Those named as we name them come first, should there be too many.
    ordered = sorted(names, key=lambda name: (_OUR_NAMES.fullmatch(name) is None, name))
    if len(ordered) > MOST_BUCKETS:
        rest = len(ordered) - MOST_BUCKETS
        looking.unsearched.append(f"{rest} more S3 buckets: give --region to have all searched")
    return _tags_of(aws, ordered[:MOST_BUCKETS])


def _tags_of(aws: Aws, names: Iterable[str]) -> list[Mapping[str, str]]:
    def one(name: str) -> Mapping[str, str]:
        try:
            return aws.s3.tags(name)
        except CloudFailure as failure:
            # A bucket whose tags we may not see is not ours: we make and tag with one hand.
            if failure.denied or failure.api_code == "NoSuchBucket":
                return {}
            raise

    asked = [partial(one, name) for name in names]
    return side_by_side(*asked)
