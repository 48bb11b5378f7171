"""Whether a request was signed by somebody we know, and each service's words if not."""

from __future__ import annotations

from datetime import datetime

from anyscale_k8s_cli.sandbox.aws.errors import AwsError
from anyscale_k8s_cli.sandbox.aws.principals import Keys, Principals
from anyscale_k8s_cli.sandbox.aws.request import AwsRequest
from anyscale_k8s_cli.sandbox.signature import BadSignature, Expired


def authenticate(request: AwsRequest, principals: Principals, now: datetime) -> Keys:
    """The keys that signed the request; raises :class:`AwsError` if it cannot be believed."""
    signature = request.signature
    if request.malformed:
        raise _incomplete(request.service)
    if signature is None:
        raise _missing(request.service)
    keys = principals.keys(signature.access_key)
    if keys is None or keys.token != signature.token:
        raise _unknown(request.service)
    try:
        signature.verify(request.incoming, keys.secret, now)
    except Expired as error:
        raise _late(request.service, signature.presigned, str(error)) from error
    except BadSignature as error:
        raise _wrong(request.service) from error
    if keys.expires is not None and now >= keys.expires:
        raise _session_over(request.service)
    return keys


def _json_service(service: str) -> bool:
    return service not in ("s3", "iam", "sts", "ec2", "elasticloadbalancing")


def _missing(service: str) -> AwsError:
    if service == "s3":
        return AwsError(403, "AccessDenied", "Access Denied")
    if _json_service(service):
        return AwsError(403, "MissingAuthenticationTokenException", "Missing Authentication Token")
    return AwsError(403, "MissingAuthenticationToken", "Request is missing Authentication Token")


def _incomplete(service: str) -> AwsError:
    if service == "s3":
        return AwsError(400, "AuthorizationHeaderMalformed", "The authorization is malformed")
    suffix = "Exception" if _json_service(service) else ""
    message = "Authorization header requires 'Credential', 'SignedHeaders' and 'Signature'."
    return AwsError(403, f"IncompleteSignature{suffix}", message)


def _unknown(service: str) -> AwsError:
    if service == "s3":
        message = "The AWS Access Key Id you provided does not exist in our records."
        return AwsError(403, "InvalidAccessKeyId", message)
    if service == "ec2":
        return _ec2_failure()
    code = "UnrecognizedClientException" if _json_service(service) else "InvalidClientTokenId"
    return AwsError(403, code, "The security token included in the request is invalid.")


def _wrong(service: str) -> AwsError:
    if service == "ec2":
        return _ec2_failure()
    code = "InvalidSignatureException" if _json_service(service) else "SignatureDoesNotMatch"
    return AwsError(
        403,
        code,
        "The request signature we calculated does not match the signature you provided. "
        "Check your AWS Secret Access Key and signing method. Consult the service "
        "documentation for details.",
    )


def _late(service: str, presigned: bool, when: str) -> AwsError:
    if service == "s3" and presigned:
        return AwsError(403, "AccessDenied", "Request has expired")
    if service == "s3":
        message = "The difference between the request time and the current time is too large."
        return AwsError(403, "RequestTimeTooSkewed", message)
    if service == "ec2":
        return AwsError(400, "RequestExpired", "Request has expired.")
    code = "InvalidSignatureException" if _json_service(service) else "SignatureDoesNotMatch"
    return AwsError(403, code, f"Signature expired: {when}")


def _session_over(service: str) -> AwsError:
    if service == "s3":
        return AwsError(400, "ExpiredToken", "The provided token has expired.")
    if service == "ec2":
        return AwsError(400, "RequestExpired", "Request has expired.")
    code = "ExpiredTokenException" if _json_service(service) else "ExpiredToken"
    return AwsError(403, code, "The security token included in the request is expired")


def _ec2_failure() -> AwsError:
    message = "AWS was not able to validate the provided access credentials"
    return AwsError(401, "AuthFailure", message)
