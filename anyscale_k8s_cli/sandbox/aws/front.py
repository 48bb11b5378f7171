"""The WSGI application before moto: who calls, may they, and who answers.

Everything that touches the world happens under one lock: moto's dictionaries
are not made for threads.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from moto.core.serialize import get_serializer_class
from werkzeug.test import run_wsgi_app
from werkzeug.wrappers import Response

from anyscale_k8s_cli.sandbox.aws.account import Account
from anyscale_k8s_cli.sandbox.aws.authentication import authenticate
from anyscale_k8s_cli.sandbox.aws.authorization import Authorization
from anyscale_k8s_cli.sandbox.aws.constraints import check_parameters
from anyscale_k8s_cli.sandbox.aws.errors import AwsError
from anyscale_k8s_cli.sandbox.aws.iam import IamRules
from anyscale_k8s_cli.sandbox.aws.policy import UnsupportedPolicy
from anyscale_k8s_cli.sandbox.aws.principals import Clock, Principals
from anyscale_k8s_cli.sandbox.aws.request import AGENT, METADATA, SERVED, AwsRequest
from anyscale_k8s_cli.sandbox.aws.s3 import S3Rules
from anyscale_k8s_cli.sandbox.aws.service import Inquiry, Operation
from anyscale_k8s_cli.sandbox.signature import strip
from anyscale_k8s_cli.sandbox.wire import Operation as Recorded
from anyscale_k8s_cli.sandbox.wire import Refusal

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

_KEY = "sandbox.aws.request"
_UNSIGNED = frozenset({"AssumeRoleWithWebIdentity"})
_READS = ("Get", "List", "Describe", "Head", "Simulate", "AssumeRole", "Select", "Options")
_NAMES = ("Bucket", "RoleName", "PolicyArn", "OpenIDConnectProviderArn", "Url", "UserName")
_EKS_NAMES = ("clusterName", "name")

Agent = Callable[[AwsRequest], Response]


@dataclass
class Front:
    """`supplements` are looked at first, by service and operation; `moto` has some of the rest.

    moto's own dispatcher is passed by: it guesses at the service, which is known here.
    """

    account: Account
    principals: Principals
    authorization: Authorization
    s3: S3Rules
    iam: IamRules
    supplements: Mapping[str, Mapping[str, Operation]]
    agent: Agent
    moto: Mapping[str, WSGIApplication]
    clock: Clock
    lock: threading.RLock = field(default_factory=threading.RLock)

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        request = self._request(environ)
        with self.lock:
            try:
                response = self._answer(request)
            except UnsupportedPolicy as error:
                what = f"The sandbox cannot evaluate this policy: {error}"
                response = AwsError(501, "NotImplemented", what).response(request.protocol)
            except AwsError as error:
                response = error.response(
                    request.protocol, head=environ["REQUEST_METHOD"] == "HEAD"
                )
            if request.service == "s3":
                self.s3.add_headers(request, response)
        return response(environ, start_response)

    def classify(self, environ: WSGIEnvironment) -> Recorded:
        """What the wire records. The caller is named even if the signature is wrong."""
        request = self._request(environ)
        with self.lock:
            keys = self.principals.keys(request.signature.access_key) if request.signature else None
            name = request.name or f"{request.http.method} {request.http.path}"
            if request.http.method == "OPTIONS":
                name = "OptionsObject"
            return Recorded(
                service=request.service,
                name=name,
                write=request.service not in (AGENT, METADATA) and not name.startswith(_READS),
                principal=keys.principal.arn if keys else "",
                resource=_subject(request),
                body=request.recorded() if request.name else None,
            )

    def refuse(
        self, refusal: Refusal, environ: WSGIEnvironment
    ) -> tuple[str, list[tuple[str, str]], bytes]:
        """An injected fault as the service would word it."""
        request = self._request(environ)
        status, code, message = refusal.status, refusal.code, refusal.message
        if code == "Throttling":
            status, code = {
                "s3": (503, "SlowDown"),
                "ec2": (503, "RequestLimitExceeded"),
                "eks": (429, "ThrottlingException"),
            }.get(request.service, (400, "Throttling"))
        head = request.http.method == "HEAD"
        response = AwsError(status, code, message).response(request.protocol, head=head)
        return response.status, list(response.headers.items()), response.get_data()

    def _request(self, environ: WSGIEnvironment) -> AwsRequest:
        if _KEY not in environ:
            environ[_KEY] = AwsRequest(environ)
        request: AwsRequest = environ[_KEY]
        return request

    def _answer(self, request: AwsRequest) -> Response:
        if request.service in (AGENT, METADATA):
            return self.agent(request)
        if request.http.method == "OPTIONS":
            return self.s3.preflight(request)
        keys = (
            None
            if request.name in _UNSIGNED
            else authenticate(request, self.principals, self.clock())
        )
        if request.service not in SERVED or not request.name:
            raise _not_served(request)
        if keys is not None:
            if request.service == "s3":
                self.s3.check_existence(request)
            self.authorization.check(request, keys)
            if request.service == "s3":
                self.s3.check(request, keys)
            elif request.service == "iam":
                self.iam.check(request)
        check_parameters(request.service, request.operation.input_shape, request.parameters)
        operation = self.supplements.get(request.model_name, {}).get(request.name)
        if operation is not None:
            inquiry = Inquiry(request.region, request.parameters, keys)
            return _serialized(request, operation(inquiry))
        if request.service not in self.moto:
            raise _not_served(request)
        response = self._by_moto(request)
        if request.service == "s3":
            self.s3.after(request, response)
        return response

    def _by_moto(self, request: AwsRequest) -> Response:
        environ = request.environ
        # moto takes the account from this header, and region and service from
        # the credential's scope. What presigning put into the query is gone.
        environ["HTTP_X_MOTO_ACCOUNT_ID"] = self.account.id
        signature = request.signature
        if signature is not None and signature.presigned:
            environ["QUERY_STRING"] = strip(environ.get("QUERY_STRING", ""))
            environ["RAW_URI"] = environ["REQUEST_URI"] = request.http.raw_path + (
                f"?{environ['QUERY_STRING']}" if environ["QUERY_STRING"] else ""
            )
            environ["HTTP_AUTHORIZATION"] = (
                f"AWS4-HMAC-SHA256 Credential={signature.access_key}/20200101/{request.region}/"
                f"{signature.service}/aws4_request, SignedHeaders=host, Signature=verified"
            )
        environ["wsgi.input"].seek(0)
        try:
            body, status, headers = run_wsgi_app(self.moto[request.service], environ, buffered=True)
        except NotImplementedError as error:
            raise _not_served(request) from error
        # In a list, so that the length that moto tells for a HEAD stays.
        return Response([b"".join(body)], status=status, headers=headers)


def _serialized(request: AwsRequest, answer: Any) -> Response:
    serializer = get_serializer_class(request.model.service_name, request.protocol)
    serialized = serializer(request.operation).serialize(answer)
    return Response(
        serialized["body"], status=serialized["status_code"], headers=dict(serialized["headers"])
    )


def _subject(request: AwsRequest) -> str:
    try:
        parameters = request.labels if request.service == "s3" else request.parameters
    except AwsError:
        return ""
    names = _EKS_NAMES if request.service == "eks" else _NAMES
    for name in names:
        if parameters.get(name):
            key = parameters.get("Key") if name == "Bucket" else None
            return f"{parameters[name]}/{key}" if key else str(parameters[name])
    return str(parameters.get("RoleArn", ""))


def _not_served(request: AwsRequest) -> AwsError:
    what = request.name or f"{request.http.method} {request.http.path}"
    return AwsError(501, "NotImplemented", f"The sandbox does not serve {request.service}:{what}")
