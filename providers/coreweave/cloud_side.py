"""The objects outside the cluster, put together from spec, cluster and install."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from anyscale_k8s_cli import errors
from anyscale_k8s_cli.cloud_side import CloudSide, Storage, entered_with
from anyscale_k8s_cli.credential_kinds import S3Keys
from anyscale_k8s_cli.install import Install
from anyscale_k8s_cli.provider import Made, PolicyDocument
from anyscale_k8s_cli.providers.coreweave import federation, keys, policy, tags, wording
from anyscale_k8s_cli.providers.coreweave.coreweave import CoreWeave
from anyscale_k8s_cli.providers.coreweave.federation import RoleExchange, TokenExchange
from anyscale_k8s_cli.providers.coreweave.keys import CoreWeaveKeys
from anyscale_k8s_cli.providers.coreweave.policy import BucketPolicy
from anyscale_k8s_cli.providers.coreweave.sdk import whereabouts
from anyscale_k8s_cli.providers.federation.proof import SETTLED_WITHIN
from anyscale_k8s_cli.providers.federation.sdk.session import Session
from anyscale_k8s_cli.providers.objectstore.bucket import AdoptedBucket, Bucket, default_name
from anyscale_k8s_cli.providers.objectstore.own_keys import own_keys
from anyscale_k8s_cli.providers.objectstore.sdk.client import S3
from anyscale_k8s_cli.resource import NotYetKnown, Resource
from anyscale_k8s_cli.spec import CloudSpec
from anyscale_k8s_cli.storage_keys import IssuedKeys


@dataclass(frozen=True)
class Built:
    """The objects, and the name of the bucket among them; `pods` is the role of pods that prove
    themselves, empty where they have a key."""

    side: CloudSide
    bucket: str
    pods: str = ""


def build(
    coreweave: CoreWeave, spec: CloudSpec, install: Install, origin: str, issuer: str
) -> Built:
    """What should be there. Nothing is asked of CoreWeave yet. `issuer` signs the cluster's
    tokens."""
    names, given = spec.rules.names, spec.existing.bucket
    usual = names.get("bucket") or default_name(install)
    name = wording.bucket_name(given) if given else usual
    if spec.existing.storage_keys == "use":
        return _with_own_keys(coreweave, spec, install, name, origin)
    if spec.existing.storage_keys == "federation":
        return _without_keys(coreweave, spec, install, name, origin, issuer)
    access = BucketPolicy(
        coreweave, install, names.get("policy") or policy.default_name(install), name
    )
    issuing = CoreWeaveKeys(coreweave, install, name, spec.rules.tags)
    issued = IssuedKeys(install, issuing, key=keys.key(install), needs=(access,))

    def let_in() -> S3Keys:
        # Without the policy no key opens anything, and says no more than that.
        if access.observed is None or access.diff(access.observed):
            raise NotYetKnown(access)
        return issued.output

    s3 = coreweave.s3(install.region, let_in)
    storage = _bucket(s3, spec, install, name, origin, issued)
    side = entered_with(issued, storage)
    return Built(replace(side, resources=(access, *side.resources)), name)


def _without_keys(
    coreweave: CoreWeave, spec: CloudSpec, install: Install, name: str, origin: str, issuer: str
) -> Built:
    """Pods prove themselves, and whoever sets up is known by the API token."""
    if not issuer:
        raise errors.CliError(
            errors.INVALID_SPEC,
            "--storage-keys: federation: the cluster has no issuer that CoreWeave tells of",
            cause="its pods' tokens are then believed by nobody outside",
            fix="leave --storage-keys out: pods then reach the bucket with a key that setup makes",
        )
    pods = federation.role(issuer, install.namespace)
    own = coreweave.s3(install.region, coreweave.session_keys)
    access = BucketPolicy(
        coreweave,
        install,
        spec.rules.names.get("policy") or policy.default_name(install),
        name,
        pods=pods,
        settled=lambda: coreweave.wait_taken(own, name),
    )

    def let_in() -> S3Keys:
        if access.observed is None or access.diff(access.observed):
            raise NotYetKnown(access)
        return coreweave.session_keys()

    s3 = coreweave.s3(install.region, let_in)
    storage = _bucket(s3, spec, install, name, origin, access)
    url = whereabouts.exchange(coreweave.caller.organisation)
    exchange = TokenExchange(install, CoreWeaveKeys(coreweave, install, name, {}), url)
    audience = spec.existing.identity_audience or federation.DEFAULT_AUDIENCE
    side = entered_with(exchange, storage)
    side = replace(
        side,
        resources=(access, *side.resources),
        token_audience=audience,
        prove_identity=federation.proof(
            coreweave,
            install.region,
            name,
            RoleExchange(Session(coreweave.run), url, pods, audience),
            min(SETTLED_WITHIN, spec.timeouts.identity),
        ),
    )
    return Built(side, name, pods)


def _bucket(
    s3: S3, spec: CloudSpec, install: Install, name: str, origin: str, opened_by: Resource[Any]
) -> Resource[Storage]:
    kind = AdoptedBucket if spec.existing.bucket else Bucket
    return kind(s3, install, name, origin=origin, needs=(opened_by,))


def _with_own_keys(
    coreweave: CoreWeave, spec: CloudSpec, install: Install, name: str, origin: str
) -> Built:
    """Nothing of the organisation's is made: no policy and no key."""
    own = own_keys(install)
    s3 = coreweave.s3(install.region, lambda: own.output)
    return Built(entered_with(own, _bucket(s3, spec, install, name, origin, own)), name)


def makes(install: Install) -> tuple[Made, ...]:
    """What is made for an install that says nothing of names."""
    return (
        Made(
            "AI Object Storage bucket",
            default_name(install),
            "the cluster's zone",
            named="bucket",
            unless=("existing.bucket",),
            data=True,
        ),
        Made(
            "organisation access policy",
            policy.default_name(install),
            "organisation",
            ("s3:* on the bucket, for whoever sets up",),
            named="policy",
            unless=("existing.storage_keys=use",),
        ),
        Made(
            "access key",
            tags.key_name(install),
            "organisation",
            (f"ends after {keys.LIFETIME.days} days; setup replaces it before",),
            unless=("existing.storage_keys",),
        ),
    )


def grants(spec: CloudSpec, install: Install, bucket: str) -> tuple[PolicyDocument, ...]:
    """The policy, before it is known who sets up."""
    if spec.existing.storage_keys == "use":
        return ()
    keyless = spec.existing.storage_keys == "federation"
    pods = federation.role("<the cluster's issuer>", install.namespace) if keyless else ""
    name = spec.rules.names.get("policy") or policy.default_name(install)
    return (policy.document(policy.policy_of(install, name, bucket, ("<whoever sets up>",), pods)),)


def protection() -> dict[str, str]:
    """Nothing is set: who may enter is the organisation's policies' to say."""
    return {"public access": "by access policies alone"}
