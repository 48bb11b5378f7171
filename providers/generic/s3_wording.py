"""What a person says of an S3 store, and whether it can mean anything: offline."""

from __future__ import annotations

from ipaddress import ip_address
from urllib.parse import urlsplit

from anyscale_k8s_cli import errors
from anyscale_k8s_cli.providers.federation import aws
from anyscale_k8s_cli.providers.generic.wording import invalid
from anyscale_k8s_cli.providers.objectstore.bucket import bucket_name
from anyscale_k8s_cli.providers.objectstore.store import AMAZONS_NAMES, S3Store
from anyscale_k8s_cli.spec import Addressing, Checksums, CloudSpec, StorageSpec

# What stores that have no regions sign for.
USUAL_REGION = "us-east-1"


def check(spec: CloudSpec) -> None:
    """Raises `invalid-spec`, `missing-input`."""
    role = spec.existing.identity
    if role and not aws.ROLE_ARN.fullmatch(role):
        raise invalid(
            f"--identity: {role!r} is no role that an S3 store knows",
            "pods reach one without keys by assuming a role with a token of their own",
            "give the role's ARN, arn:<partition>:iam::<account>:role/<name>",
        )
    if spec.existing.identity_provider:
        raise invalid(
            "--identity-provider: an S3 store finds it by itself",
            "a role's own trust policy names it",
            "leave it out",
        )
    if role and not spec.storage.endpoint and not spec.storage.region:
        raise errors.CliError(
            errors.MISSING_INPUT,
            "Missing: --storage-region",
            cause="where the bucket in Amazon S3 is cannot be found out",
            fix="add --storage-region REGION, or --storage-endpoint for a store that is not "
            "Amazon's",
        )
    origin = store(spec.storage, role=role).endpoint
    if spec.storage.addressing == "virtual" and _is_address(origin):
        raise invalid(
            f"--storage-addressing: {origin} cannot have buckets in its name",
            "it is an IP address, and S3 clients then name buckets by paths whatever is said",
            "give the store by its host's name, or leave --storage-addressing out",
        )
    given = spec.existing.bucket
    if given and not AMAZONS_NAMES.fullmatch(bucket_name(given)):
        raise invalid(
            f"--bucket: {given!r} is no name of a bucket in an S3 store",
            "3 to 63 lower-case letters, digits and dashes are taken, with or without s3://",
            "correct --bucket",
        )


def endpoint(storage: StorageSpec) -> str:
    """The store's origin without a slash at the end. Raises `missing-input`, `invalid-spec`."""
    given = storage.endpoint
    if not given:
        raise errors.CliError(
            errors.MISSING_INPUT,
            "Missing: --storage-endpoint",
            cause="where the object store is cannot be found out",
            fix="add --storage-endpoint https://… , or set ANYSCALE_K8S_STORAGE_ENDPOINT",
        )
    parts = urlsplit(given)
    origin = f"{parts.scheme}://{parts.netloc}"
    if (
        parts.scheme not in ("https", "http")
        or not parts.hostname
        or parts.username
        or given.rstrip("/") != origin
    ):
        raise invalid(
            f"--storage-endpoint: {given!r} is no address of a store",
            "it must be a bare origin: no bucket, path, query or password",
            "give it as https://host or https://host:port",
        )
    return origin


def _is_address(origin: str) -> bool:
    try:
        ip_address(urlsplit(origin).hostname or "")
    except ValueError:
        return False
    return True


def store(storage: StorageSpec, *, role: str | None = None) -> S3Store:
    """The store as it was said; what was not said is what most stores of one's own take.

    With a role and no address it is Amazon's own.
    """
    if role and not storage.endpoint:
        return S3Store(
            title="Amazon S3",
            endpoint="",
            region=storage.region or USUAL_REGION,
            addressing=Addressing(storage.addressing or Addressing.VIRTUAL),
            checksums=Checksums(storage.checksums or Checksums.WHEN_SUPPORTED),
            location=storage.region if storage.region != USUAL_REGION else None,
        )
    origin = endpoint(storage)
    return S3Store(
        title=f"the store {urlsplit(origin).netloc}",
        endpoint=origin,
        region=storage.region or USUAL_REGION,
        addressing=Addressing(storage.addressing or Addressing.PATH),
        checksums=Checksums(storage.checksums or Checksums.WHEN_REQUIRED),
    )
