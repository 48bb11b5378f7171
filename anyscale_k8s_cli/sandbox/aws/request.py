"""A request to AWS, understood: which service, which operation, with which parameters."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

from moto.core.parse import PROTOCOL_PARSERS, RequestParserError
from moto.core.request import Request, determine_request_protocol
from moto.core.routing import get_service_router
from moto.core.utils import get_service_model
from werkzeug.exceptions import HTTPException

from anyscale_k8s_cli.sandbox.aws.errors import AwsError
from anyscale_k8s_cli.sandbox.signature import BadSignature, Incoming, Signature, read

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

# Names of services in signatures, where botocore's model is called otherwise.
MODELS = {
    "elasticloadbalancing": "elbv2",
    "tagging": "resourcegroupstaggingapi",
    "servicequotas": "service-quotas",
}
SERVED = frozenset(
    {"s3", "iam", "sts", "eks", "ec2", "kms", "elasticloadbalancing", "tagging", "servicequotas"}
)
_CLASSIC_LOAD_BALANCERS = "2012-06-01"
# Paths of the agent that hands Pod Identity credentials to containers. Real
# buckets cannot be called so: their names have three characters or more.
AGENT_PATH = "/v1/credentials"
AGENT = "eks-pod-identity-agent"
# Where a node's own role is handed out, to whoever reaches it. In life it has an address
# that every machine knows, and pods reach it where the hop limit lets them.
METADATA_PATH = "/latest/meta-data/iam/security-credentials/"
METADATA = "ec2-metadata"
# What may be in a request and must not be in its record.
_SECRET = {"WebIdentityToken", "SAMLAssertion", "SecretAccessKey", "SSECustomerKey", "token"}
_BULK = {"Body"}


class AwsRequest:
    """One request. `service` is the name in its signature, `name` the operation (or "")."""

    def __init__(self, environ: WSGIEnvironment) -> None:
        self.environ = environ
        self.body = _whole_body(environ)
        self.http = Request(environ)
        self.incoming = Incoming(
            self.http.method,
            self.http.raw_url,
            {name.lower(): value for name, value in self.http.headers.items()},
            self.body,
        )
        self.malformed = False
        self.signature: Signature | None = None
        try:
            self.signature = read(self.incoming)
        except BadSignature:
            self.malformed = True
        self.service = self._service()

    def _service(self) -> str:
        if self.signature is not None:
            return self.signature.service
        if self.http.path == AGENT_PATH:
            return AGENT
        if self.http.path.startswith(METADATA_PATH):
            return METADATA
        return "sts" if self._form.get("Action") else "s3"

    @cached_property
    def _form(self) -> dict[str, str]:
        """The fields of a request in the query protocol."""
        text = urlsplit(self.incoming.url).query
        content_type = self.incoming.headers.get("content-type", "")
        if content_type.startswith("application/x-www-form-urlencoded"):
            text += "&" + self.body.decode("utf-8", "replace")
        return {name: values[0] for name, values in parse_qs(text).items()}

    @property
    def region(self) -> str:
        return (self.signature.region if self.signature else "") or "us-east-1"

    @cached_property
    def model_name(self) -> str:
        if self._form.get("Version") == _CLASSIC_LOAD_BALANCERS:
            return "elb"
        return MODELS.get(self.service, self.service)

    @property
    def model(self) -> Any:
        return get_service_model(self.model_name)

    @cached_property
    def protocol(self) -> str:
        """The protocol of this request, by botocore's names."""
        if self.service not in SERVED:
            return "rest-json"
        try:
            return determine_request_protocol(self.model, self.http.content_type)
        except NotImplementedError:
            return str(self.model.protocol)

    @cached_property
    def _match(self) -> tuple[Any, dict[str, Any]]:
        if self.service not in SERVED:
            return None, {}
        try:
            operation, labels = get_service_router(self.model_name).match(self.http)
        except (HTTPException, NotImplementedError):
            return None, {}
        return operation, labels

    @property
    def operation(self) -> Any:
        """botocore's model of the operation; None if there is no such operation."""
        return self._match[0]

    @property
    def name(self) -> str:
        return str(self.operation.name) if self.operation is not None else ""

    @property
    def labels(self) -> dict[str, Any]:
        """The parameters in the path, such as Bucket and Key."""
        return self._match[1]

    @cached_property
    def parameters(self) -> dict[str, Any]:
        """All parameters, as boto3 would name them. Raises :class:`AwsError` if unreadable."""
        if self.operation is None:
            return {}
        parser = PROTOCOL_PARSERS[self.protocol](self.operation)
        try:
            parsed = dict(
                parser.parse(
                    {
                        "method": self.http.method,
                        "values": self.http.values,
                        "headers": self.http.headers,
                        "body": self.body,
                        "url_path": self.http.path,
                        "url_params": self.labels,
                    }
                )
            )
        except (RequestParserError, ValueError) as error:
            code = "MalformedXML" if self.service == "s3" else "MalformedInput"
            raise AwsError(400, code, str(error)) from error
        shape = self.operation.input_shape
        for name in shape.required_members if shape is not None else ():
            if parsed.get(name) is None:
                message = f"The request must contain the parameter {name}"
                raise AwsError(400, "MissingParameter", message)
        return parsed

    def recorded(self) -> Any:
        """The parameters without secrets and without bulk, fit for JSON."""
        try:
            parameters = self.parameters
        except AwsError:
            return None
        return json.loads(json.dumps(_clean(parameters), default=str))


def _clean(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {
            key: "***" if key in _SECRET else _clean(item)
            for key, item in value.items()
            if key not in _BULK
        }
    if isinstance(value, list | tuple):
        return [_clean(item) for item in value]
    return value


def _whole_body(environ: WSGIEnvironment) -> bytes:
    """Read the body once and leave a fresh stream for whoever comes next."""
    stream = environ["wsgi.input"]
    if environ.get("HTTP_TRANSFER_ENCODING", "").lower() == "chunked":
        body = stream.read()
        environ.pop("HTTP_TRANSFER_ENCODING")
    else:
        body = stream.read(int(environ.get("CONTENT_LENGTH") or 0))
    environ["CONTENT_LENGTH"] = str(len(body))
    environ["wsgi.input"] = io.BytesIO(body)
    return bytes(body)
