"""The rules of S3 that moto leaves out: whose bucket, which region, which browser."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from werkzeug.wrappers import Response

from anyscale_k8s_cli.sandbox.aws.account import Account
from anyscale_k8s_cli.sandbox.aws.authorization import Authorization, Need
from anyscale_k8s_cli.sandbox.aws.errors import AwsError
from anyscale_k8s_cli.sandbox.aws.principals import Keys
from anyscale_k8s_cli.sandbox.aws.request import AwsRequest
from anyscale_k8s_cli.sandbox.aws.s3_cors import matching_rule, response_headers
from anyscale_k8s_cli.sandbox.aws.s3_limits import check_limits

_OLDEST_REGION = "us-east-1"
# https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html
_NAME = re.compile(r"(?!xn--|sthree-)[a-z0-9][a-z0-9.-]{1,61}[a-z0-9](?<!-s3alias)(?<!--ol-s3)")
_ADDRESS = re.compile(r"\d{1,3}(\.\d{1,3}){3}")


@dataclass
class S3Rules:
    """`being_deleted` holds names that cannot be created yet, with the attempts left."""

    account: Account
    authorization: Authorization
    being_deleted: dict[str, int] = field(default_factory=dict)

    def check_existence(self, request: AwsRequest) -> None:
        """What S3 answers before it looks at policies: there is no such bucket."""
        bucket = request.labels.get("Bucket")
        if bucket and request.name != "CreateBucket" and self.account.bucket(bucket) is None:
            raise AwsError(
                404, "NoSuchBucket", "The specified bucket does not exist", {"BucketName": bucket}
            )

    def check(self, request: AwsRequest, keys: Keys) -> None:
        """Raises what S3 would answer instead of what moto would do."""
        if request.name == "CreateBucket":
            check_limits(request.name, request.parameters, None)
            self._check_creation(request, keys)
            return
        expected = request.http.headers.get("x-amz-expected-bucket-owner")
        name = request.labels.get("Bucket")
        if name and expected and self.account.bucket_owner(name) != expected:
            raise _access_denied()
        if name and request.name in ("GetObject", "HeadObject"):
            self._check_missing_key(request, keys)
        bucket = self.account.bucket(name) if name else None
        state = self.account.bucket_state(bucket) if bucket is not None else None
        check_limits(request.name, request.parameters, state)
        signature = request.signature
        if bucket is not None and signature is not None and signature.region:
            self._check_region(signature.region, bucket.region_name)

    def after(self, request: AwsRequest, response: Response) -> None:
        """What moto's work lacks."""
        if request.name == "CreateBucket" and response.status_code == 200:
            configuration = request.parameters.get("CreateBucketConfiguration") or {}
            tags = {tag["Key"]: tag["Value"] for tag in configuration.get("Tags") or []}
            self.account.complete_bucket(request.labels["Bucket"], tags)

    # -- creation -------------------------------------------------------------

    def _check_creation(self, request: AwsRequest, keys: Keys) -> None:
        name = request.labels["Bucket"]
        if not _NAME.fullmatch(name) or ".." in name or _ADDRESS.fullmatch(name):
            message = "The specified bucket is not valid."
            raise AwsError(400, "InvalidBucketName", message, {"BucketName": name})
        self._check_location(request)
        attempts = self.being_deleted.get(name, 0)
        if attempts:
            self.being_deleted[name] = attempts - 1
            raise AwsError(
                409,
                "OperationAborted",
                "A conflicting conditional operation is currently in progress against this "
                "resource. Please try again.",
            )
        owner = self.account.bucket_owner(name)
        if owner is not None and owner != keys.principal.account:
            raise AwsError(
                409,
                "BucketAlreadyExists",
                "The requested bucket name is not available. The bucket namespace is shared by "
                "all users of the system. Please select a different name and try again.",
                {"BucketName": name},
            )

    @staticmethod
    def _check_location(request: AwsRequest) -> None:
        configuration: Mapping[str, str] = request.parameters.get("CreateBucketConfiguration") or {}
        constraint = configuration.get("LocationConstraint")
        if constraint == _OLDEST_REGION:
            message = "The specified location-constraint is not valid"
            raise AwsError(400, "InvalidLocationConstraint", message)
        if (constraint or _OLDEST_REGION) == request.region:
            return
        if request.region == _OLDEST_REGION:
            return
        what = constraint or "unspecified"
        raise AwsError(
            400,
            "IllegalLocationConstraintException",
            f"The {what} location constraint is incompatible for the region specific endpoint "
            "this request was sent to.",
        )

    # -- access ----------------------------------------------------------------

    def _check_missing_key(self, request: AwsRequest, keys: Keys) -> None:
        """Who may not list a bucket is not told that a key is missing."""
        name, key = request.labels["Bucket"], request.labels["Key"]
        bucket = self.account.bucket(name)
        if bucket is None or key in bucket.keys:
            return
        if not self.authorization.allowed(
            keys, Need("s3:ListBucket", self.account.arn("s3", name))
        ):
            raise _access_denied()

    @staticmethod
    def _check_region(signed: str, region: str) -> None:
        """A signature for another region is no good for this bucket."""
        if signed == region:
            return
        raise AwsError(
            400,
            "AuthorizationHeaderMalformed",
            f"The authorization header is malformed; the region '{signed}' is wrong; "
            f"expecting '{region}'",
            {"Region": region},
        )

    # -- browsers ----------------------------------------------------------------

    def preflight(self, request: AwsRequest) -> Response:
        """The answer to a browser that asks before it calls; nobody signs it."""
        headers = request.http.headers
        origin = headers.get("Origin")
        method = headers.get("Access-Control-Request-Method")
        if not origin or not method:
            message = "Insufficient information. Origin request header needed."
            raise AwsError(400, "BadRequest", message)
        bucket = self._bucket_of_path(request)
        wanted = [h for h in headers.get("Access-Control-Request-Headers", "").split(",") if h]
        rules = bucket.cors if bucket is not None else []
        rule = matching_rule(rules, origin, method, wanted)
        if rule is None:
            disabled = "CORS is not enabled for this bucket."
            evaluated = (
                "This CORS request is not allowed. This is usually because the evalution of "
                "Origin, request method / Access-Control-Request-Method or "
                "Access-Control-Request-Headers are not whitelisted by the resource's CORS spec."
            )
            text = f"CORSResponse: {evaluated if rules else disabled}"
            raise AwsError(
                403, "AccessForbidden", text, {"Method": method, "ResourceType": "OBJECT"}
            )
        answer = Response(b"", status=200, headers=response_headers(rule, origin))
        if wanted:
            answer.headers["Access-Control-Allow-Headers"] = ", ".join(h.strip() for h in wanted)
        return answer

    def add_headers(self, request: AwsRequest, response: Response) -> None:
        """The bucket's region, and CORS by the bucket's rules in place of moto's."""
        bucket = self._bucket_of_path(request)
        if bucket is not None:
            response.headers["x-amz-bucket-region"] = bucket.region_name
        if request.http.method == "OPTIONS":
            return
        for name in [
            name for name, _ in response.headers if name.lower().startswith("access-control")
        ]:
            del response.headers[name]
        origin = request.http.headers.get("Origin")
        if not origin or bucket is None:
            return
        rule = matching_rule(bucket.cors, origin, request.http.method)
        if rule is not None:
            response.headers.extend(response_headers(rule, origin))

    def _bucket_of_path(self, request: AwsRequest) -> Any | None:
        return self.account.bucket(request.http.path.lstrip("/").split("/")[0])


def _access_denied() -> AwsError:
    return AwsError(403, "AccessDenied", "Access Denied")
