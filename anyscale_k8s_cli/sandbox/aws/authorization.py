"""Which actions on which resources an operation needs, and whether the caller has them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from anyscale_k8s_cli.sandbox.aws.account import Account
from anyscale_k8s_cli.sandbox.aws.errors import AwsError
from anyscale_k8s_cli.sandbox.aws.kms import Kms
from anyscale_k8s_cli.sandbox.aws.policy import Decision, Grants, Question, decide
from anyscale_k8s_cli.sandbox.aws.principals import Keys, Principals
from anyscale_k8s_cli.sandbox.aws.request import AwsRequest
from anyscale_k8s_cli.sandbox.aws.s3_actions import action as s3_action

# Anybody who is somebody may ask who they are; assuming is up to the role's trust.
_FREE = {"GetCallerIdentity", "GetAccessKeyInfo", "AssumeRole", "AssumeRoleWithWebIdentity"}
_IAM_KINDS = {
    "RoleName": "role",
    "UserName": "user",
    "GroupName": "group",
    "PolicyName": "policy",
    "InstanceProfileName": "instance-profile",
}
_IAM_ARNS = ("PolicySourceArn", "OpenIDConnectProviderArn")
_EKS_PARTS = {
    "nodegroupName": "nodegroup",
    "addonName": "addon",
    "associationId": "podidentityassociation",
    "principalArn": "access-entry",
}
# https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazons3.html
_ENCRYPTION = ("x-amz-server-side-encryption", "x-amz-server-side-encryption-aws-kms-key-id")
_KEY_USE = {
    "PutObject": "kms:GenerateDataKey",
    "CopyObject": "kms:GenerateDataKey",
    "CreateMultipartUpload": "kms:GenerateDataKey",
    "GetObject": "kms:Decrypt",
}
_OF_ASSOCIATIONS = ("CreatePodIdentityAssociation", "UpdatePodIdentityAssociation")
_IDENTITY = "identity-based policy"
_RESOURCE = "resource-based policy"
_BOUNDARY = "permissions boundary"
_SERVICES_IN_ACTIONS = {"tagging": "tag"}


@dataclass(frozen=True, slots=True)
class Need:
    action: str
    resource: str = "*"
    context: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


@dataclass(frozen=True)
class Authorization:
    account: Account
    principals: Principals
    kms: Kms

    def check(self, request: AwsRequest, keys: Keys) -> None:
        """Raises the service's own denial if the caller lacks something."""
        for need in self.needs(request):
            decision, policy = self._decide(request, keys, need)
            if decision is not Decision.ALLOWED:
                raise denial(request.service, keys, need, decision, policy)

    def allowed(self, keys: Keys, need: Need) -> bool:
        """Whether the caller's own policies allow it; no bucket policy is asked."""
        question = Question(
            need.action, need.resource, {**keys.principal.context(), **need.context}
        )
        return self.principals.grants(keys).decide(question) is Decision.ALLOWED

    def needs(self, request: AwsRequest) -> list[Need]:
        if request.service == "sts" and request.name in _FREE:
            return []
        if request.service == "s3":
            return list(self._s3(request))
        if request.service == "iam":
            return list(self._iam(request))
        service = _SERVICES_IN_ACTIONS.get(request.service, request.service)
        tags = _tag_context(request.parameters)
        needs = [Need(f"{service}:{request.name}", self._resource(request), tags)]
        return needs + list(self._for_pods(request))

    def _for_pods(self, request: AwsRequest) -> Iterator[Need]:
        """What an association takes besides: its role is passed on, and its tags are written."""
        parameters = request.parameters
        if request.name not in _OF_ASSOCIATIONS:
            return
        if role := parameters.get("roleArn"):
            to = {"iam:passedtoservice": ("pods.eks.amazonaws.com",)}
            yield Need("iam:PassRole", role, to)
        if parameters.get("tags"):
            path = f"podidentityassociation/{parameters['clusterName']}/*"
            arn = self.account.arn("eks", path, request.region)
            yield Need("eks:TagResource", arn, _tag_context(parameters))

    def _decide(self, request: AwsRequest, keys: Keys, need: Need) -> tuple[Decision, str]:
        """The decision, and the kind of policy that a denial comes from."""
        context = {
            **keys.principal.context(),
            "aws:requestedregion": (request.region,),
            **need.context,
        }
        caller = keys.principal
        names = {caller.arn, caller.entity, caller.account}
        names.add(f"arn:{self.account.partition}:iam::{caller.account}:root")
        question = Question(need.action, need.resource, context, {"AWS": frozenset(names)})
        grants = self.principals.grants(keys)
        own, mine = grants.decide(question), _kind(grants, question)
        bucket = self.account.bucket(request.labels.get("Bucket", ""))
        if request.service != "s3" or bucket is None or request.name == "CreateBucket":
            return own, mine
        policy = self.account.bucket_policy(bucket)
        theirs = decide([policy], question) if policy else Decision.IMPLICIT_DENY
        if Decision.EXPLICIT_DENY in (own, theirs):
            kind = mine if own is Decision.EXPLICIT_DENY else _RESOURCE
            return Decision.EXPLICIT_DENY, kind
        if self.account.bucket_owner(bucket.name) == caller.account:
            either = Decision.ALLOWED in (own, theirs)
            return (Decision.ALLOWED if either else Decision.IMPLICIT_DENY), mine
        both = own is theirs is Decision.ALLOWED
        kind = mine if own is not Decision.ALLOWED else _RESOURCE
        return (Decision.ALLOWED if both else Decision.IMPLICIT_DENY), kind

    def _s3(self, request: AwsRequest) -> Iterator[Need]:
        bucket, key = request.labels.get("Bucket"), request.labels.get("Key")
        version = "versionId" in request.http.args
        if bucket is None:
            yield Need(s3_action(request.name, version=False))
            return
        arn = self.account.arn("s3", bucket)
        context: dict[str, tuple[str, ...]] = {}
        if "prefix" in request.http.args:
            context["s3:prefix"] = (request.http.args["prefix"],)
        if request.name == "DeleteObjects":
            for item in request.parameters["Delete"].get("Objects", []):
                action = s3_action("DeleteObject", version=bool(item.get("VersionId")))
                yield Need(action, f"{arn}/{item['Key']}")
            return
        # As uploads say it themselves: what the bucket would add by default is not asked.
        headers = request.http.headers
        context |= {f"s3:{name}": (headers[name],) for name in _ENCRYPTION if name in headers}
        resource = f"{arn}/{key}" if key is not None else arn
        context |= _tag_context(_tags_of_bucket(request))
        yield Need(s3_action(request.name, version=version), resource, context)
        yield from self._s3_besides(request, resource)

    def _s3_besides(self, request: AwsRequest, resource: str) -> Iterator[Need]:
        if tags := _tag_context(_tags_of_bucket(request)):
            yield Need("s3:TagResource", resource, tags)
        if "x-amz-tagging" in request.http.headers:
            yield Need("s3:PutObjectTagging", resource)
        yield from self._s3_key(request)
        if source := request.http.headers.get("x-amz-copy-source"):
            path = source.lstrip("/").partition("?")[0]
            yield Need("s3:GetObject", self.account.arn("s3", path))

    def _s3_key(self, request: AwsRequest) -> Iterator[Need]:
        """The key of an encrypted bucket is used in the name of whoever reads or writes."""
        bucket = self.account.bucket(request.labels["Bucket"])
        key = self.account.bucket_key(bucket) if bucket is not None else None
        if bucket is None or key is None or request.name not in _KEY_USE:
            return
        arn = self.kms.arn(key, bucket.region_name)
        if arn is None:
            # Nobody notices a wrong key when the bucket is set up, only when it is used.
            raise AwsError(400, "KMS.NotFoundException", f"Key '{key}' does not exist")
        if arn in self.kms.disabled:
            raise AwsError(400, "KMS.DisabledException", f"{arn} is disabled.")
        yield Need(_KEY_USE[request.name], arn)

    def _iam(self, request: AwsRequest) -> Iterator[Need]:
        parameters = request.parameters
        resource = self._iam_resource(request.name, parameters)
        context: dict[str, tuple[str, ...]] = {}
        if boundary := parameters.get("PermissionsBoundary"):
            context["iam:permissionsboundary"] = (boundary,)
        if policy := parameters.get("PolicyArn"):
            context["iam:policyarn"] = (policy,)
        yield Need(f"iam:{request.name}", resource, context | _tag_context(parameters))
        kinds = {"CreateRole": "Role", "CreatePolicy": "Policy", "CreateUser": "User"}
        kinds["CreateOpenIDConnectProvider"] = "OpenIDConnectProvider"
        if parameters.get("Tags") and request.name in kinds:
            yield Need(f"iam:Tag{kinds[request.name]}", resource, _tag_context(parameters))

    def _iam_resource(self, operation: str, parameters: Mapping[str, Any]) -> str:
        """The ARN that an IAM operation is about."""
        for name in (*_IAM_ARNS, *(["PolicyArn"] if "Policy" in operation else [])):
            entity = parameters.get("RoleName") or parameters.get("UserName")
            if parameters.get(name) and not entity:
                return str(parameters[name])
        if url := parameters.get("Url"):
            return self.account.arn("iam", "oidc-provider/" + url.removeprefix("https://"))
        role = self.account.role(parameters.get("RoleName", ""))
        if role is not None and operation != "CreateRole":
            return str(role.arn)
        path = parameters.get("Path") or "/"
        for name, kind in _IAM_KINDS.items():
            if parameters.get(name):
                return self.account.arn("iam", f"{kind}{path}{parameters[name]}")
        if operation == "ListRoles":
            return self.account.arn("iam", f"role{parameters.get('PathPrefix') or '/'}")
        return "*"

    def _resource(self, request: AwsRequest) -> str:
        parameters = request.parameters
        if request.service == "kms" and parameters.get("KeyId"):
            key = str(parameters["KeyId"])
            return key if ":" in key else self.account.arn("kms", f"key/{key}", request.region)
        if request.service != "eks":
            return "*"
        if request.name in ("TagResource", "UntagResource"):
            return str(parameters["resourceArn"])
        cluster = parameters.get("clusterName") or parameters.get("name")
        if cluster is None:
            return "*"
        for name, kind in _EKS_PARTS.items():
            if parameters.get(name):
                path = f"{kind}/{cluster}/{parameters[name]}"
                return self.account.arn("eks", path, request.region)
        return self.account.arn("eks", f"cluster/{cluster}", request.region)


def _tags_of_bucket(request: AwsRequest) -> Mapping[str, Any]:
    """Where a bucket that is made has its tags."""
    if request.name != "CreateBucket":
        return {}
    configuration: Mapping[str, Any] = request.parameters.get("CreateBucketConfiguration") or {}
    return configuration


def _tag_context(parameters: Mapping[str, Any]) -> dict[str, tuple[str, ...]]:
    """The tags that a request writes: a list in IAM, a mapping in EKS."""
    listed: Sequence[Mapping[str, str]] = parameters.get("Tags") or []
    tags = {tag["Key"]: tag["Value"] for tag in listed} | dict(parameters.get("tags") or {})
    if not tags:
        return {}
    context = {f"aws:requesttag/{key}".lower(): (value,) for key, value in tags.items()}
    return context | {"aws:tagkeys": tuple(tags)}


def _kind(grants: Grants, question: Question) -> str:
    """Where a denial comes from, of what is a principal's own."""
    by_itself = decide(grants.identity, question) is Decision.ALLOWED
    bounded = grants.boundary is not None
    if by_itself and bounded and decide(grants.boundary or (), question) is not Decision.ALLOWED:
        return _BOUNDARY
    return _IDENTITY


def denial(
    service: str, keys: Keys, need: Need, decision: Decision, policy: str = _IDENTITY
) -> AwsError:
    """What a service answers to somebody who may not; `policy` is the kind that says so."""
    because = (
        f"with an explicit deny in {'an' if policy == _IDENTITY else 'a'} {policy}"
        if decision is Decision.EXPLICIT_DENY
        else f"because no {policy} allows the {need.action} action"
    )
    message = (
        f"User: {keys.principal.arn} is not authorized to perform: {need.action} "
        f"on resource: {need.resource} {because}"
    )
    if service == "ec2":
        text = f"You are not authorized to perform this operation. {message}"
        return AwsError(403, "UnauthorizedOperation", text)
    if service in ("eks", "tagging", "servicequotas", "kms"):
        status = 403 if service == "eks" else 400
        return AwsError(status, "AccessDeniedException", message)
    return AwsError(403, "AccessDenied", message)
