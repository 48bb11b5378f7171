"""What S3 refuses in a request that is well-formed, by operation."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from anyscale_k8s_cli.sandbox.aws.account import BucketState
from anyscale_k8s_cli.sandbox.aws.errors import AwsError
from anyscale_k8s_cli.sandbox.aws.policy import as_list, statements

Parameters = Mapping[str, Any]

_MOST_KEYS = 1000
_MOST_TAGS = 50
_LONGEST_KEY = 1024
# https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-tagging.html
_TAG_TEXT = re.compile(r"[\w\s.:/=+\-@]*")


def check_limits(operation: str, parameters: Parameters, bucket: BucketState | None) -> None:
    """Raises what S3 answers to parameters that moto would take; no `bucket`: there is none yet."""
    if len(str(parameters.get("Key") or "").encode()) > _LONGEST_KEY:
        raise AwsError(400, "KeyTooLongError", "Your key is too long")
    if operation in _CHECKS:
        _CHECKS[operation](parameters)
    if operation == "PutBucketAcl" and bucket is not None and bucket.refuses_acls:
        raise AwsError(400, "AccessControlListNotSupported", "The bucket does not allow ACLs")
    if operation == "PutBucketPolicy" and bucket is not None:
        _policy(parameters["Policy"], bucket)


def _creation(parameters: Parameters) -> None:
    _tags((parameters.get("CreateBucketConfiguration") or {}).get("Tags") or [])


def _tagging(parameters: Parameters) -> None:
    _tags(parameters["Tagging"].get("TagSet") or [])


def _tags(tags: Sequence[Mapping[str, str]]) -> None:
    if len(tags) > _MOST_TAGS:
        raise AwsError(400, "BadRequest", f"Bucket tag count cannot be greater than {_MOST_TAGS}")
    keys = Counter(tag["Key"] for tag in tags)
    if any(count > 1 for count in keys.values()):
        raise AwsError(400, "InvalidTag", "Cannot provide multiple Tags with the same key")
    for tag in tags:
        if tag["Key"].lower().startswith("aws:"):
            message = "System tags cannot be added/updated by requester"
            raise AwsError(400, "InvalidTag", message)
        for what, most in (("Key", 128), ("Value", 256)):
            if len(tag[what]) > most or not _TAG_TEXT.fullmatch(tag[what]):
                raise AwsError(400, "InvalidTag", f"The Tag{what} you have provided is invalid")


def _keys(parameters: Parameters) -> None:
    if len(parameters["Delete"].get("Objects") or []) > _MOST_KEYS:
        message = (
            "The XML you provided was not well-formed or did not validate against our published "
            "schema"
        )
        raise AwsError(400, "MalformedXML", message)


def _cors(parameters: Parameters) -> None:
    for rule in parameters["CORSConfiguration"].get("CORSRules") or []:
        for name in ("AllowedOrigin", "AllowedHeader"):
            for value in rule.get(f"{name}s") or []:
                if value.count("*") > 1:
                    message = f'{name} "{value}" can not have more than one wildcard.'
                    raise AwsError(400, "InvalidRequest", message)
        for value in rule.get("ExposeHeaders") or []:
            if "*" in value:
                message = (
                    f'ExposeHeader "{value}" contains wildcard. We currently do not support '
                    "wildcard for ExposeHeader."
                )
                raise AwsError(400, "InvalidRequest", message)


def _encryption(parameters: Parameters) -> None:
    for rule in parameters["ServerSideEncryptionConfiguration"].get("Rules") or []:
        default = rule.get("ApplyServerSideEncryptionByDefault") or {}
        if default.get("KMSMasterKeyID") and default.get("SSEAlgorithm") == "AES256":
            message = (
                "a KMSMasterKeyID is not applicable if the default sse algorithm is not aws:kms "
                "or aws:kms:dsse"
            )
            raise AwsError(400, "InvalidArgument", message)


_LIFECYCLE_ACTIONS = frozenset(
    {
        "AbortIncompleteMultipartUpload",
        "Expiration",
        "NoncurrentVersionExpiration",
        "NoncurrentVersionTransitions",
        "Transitions",
    }
)


def _lifecycle(parameters: Parameters) -> None:
    rules = (parameters.get("LifecycleConfiguration") or {}).get("Rules") or []
    names = Counter(rule["ID"] for rule in rules if rule.get("ID"))
    if any(count > 1 for count in names.values()):
        message = "Rule ID must be unique. Found same ID for more than one rule"
        raise AwsError(400, "InvalidArgument", message)
    if not all(_LIFECYCLE_ACTIONS & set(rule) for rule in rules):
        message = "At least one action needs to be specified in a rule"
        raise AwsError(400, "InvalidRequest", message)


def _policy(text: str, bucket: BucketState) -> None:
    try:
        document = json.loads(text)
    except ValueError as error:
        message = "Policies must be valid JSON and the first byte must be '{'"
        raise AwsError(400, "MalformedPolicy", message) from error
    for statement in statements(document):
        for resource in as_list(statement.get("Resource", [])):
            if not f"{resource}/".startswith(f"{bucket.arn}/"):
                raise AwsError(400, "MalformedPolicy", "Policy has invalid resource")
    if bucket.blocks_public_policies and _public(document):
        message = (
            "public policies are blocked by the BlockPublicPolicy block public access setting."
        )
        raise AwsError(403, "AccessDenied", message)


def _public(document: Mapping[str, Any]) -> bool:
    """Whether a statement gives something to everybody without a condition."""
    return any(
        statement.get("Effect") == "Allow"
        and "*" in _principals(statement)
        and not statement.get("Condition")
        for statement in statements(document)
    )


def _principals(statement: Mapping[str, Any]) -> Iterator[str]:
    principal = statement.get("Principal")
    if isinstance(principal, Mapping):
        for names in principal.values():
            yield from as_list(names)
    elif principal is not None:
        yield str(principal)


_CHECKS: Mapping[str, Callable[[Parameters], None]] = {
    "CreateBucket": _creation,
    "DeleteObjects": _keys,
    "PutBucketCors": _cors,
    "PutBucketEncryption": _encryption,
    "PutBucketLifecycleConfiguration": _lifecycle,
    "PutBucketTagging": _tagging,
}
