"""Proof that the control plane and the console's users can reach the bucket.

The control plane signs an address for one object, first to write, then to
read; we use both from here, the second as a browser on the console's page
would. So this proves the control plane's access, the bucket's answers and its
CORS rule at once, with nothing but a token.

What is sent for a signed address follows the vendor's client. Which kinds of
file the server accepts is its own closed list; :data:`FILE_TYPE` is the one
that the vendor's client writes.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import httpx

from anyscale_k8s_cli.controlplane import transport
from anyscale_k8s_cli.controlplane.clouds import Clouds
from anyscale_k8s_cli.controlplane.failures import ApiFailure
from anyscale_k8s_cli.controlplane.models import PresignedUrl

FILE_TYPE = "runtime_env_packages"
# Signed addresses cannot delete, so one small object of this fixed name stays
# in the bucket, however often the proof is repeated.
FILE_NAME = "anyscale-k8s-cli-bucket-proof.txt"
CONTENT = b"Written by anyscale-k8s-cli to prove that the control plane reaches this bucket.\n"

# The console's file viewer reads these; its logs work without.
EXPOSED_HEADERS = ("Accept-Ranges", "Content-Range", "Content-Length")


class ProofStep(StrEnum):
    """Where a proof ended."""

    URL = "url"
    PUT = "put"
    GET = "get"
    CORS = "cors"


@dataclass(frozen=True)
class BucketProof:
    """What came of it: `failed` is None when everything held.

    `supported` is False when the control plane gives no http address for this
    kind of storage, so that nothing could be tried. `object_uri` is what the
    proof leaves in the bucket.
    """

    origin: str
    failed: ProofStep | None = None
    supported: bool = True
    object_uri: str = ""
    reason: str = ""
    evidence: tuple[str, ...] = ()

    @property
    def proven(self) -> bool:
        return self.supported and self.failed is None


@dataclass(eq=False)
class _Broken(Exception):
    """Ends the proof at a step."""

    step: ProofStep
    reason: str
    evidence: tuple[str, ...] = ()
    supported: bool = True


def prove_bucket(
    clouds: Clouds, cloud_id: str, origin: str, *, resource_id: str | None = None
) -> BucketProof:
    """Write, read and compare one object through signed addresses.

    `origin` is what a browser sends from the console (`origin.console_origin`).
    What fails is in the result; only an interruption, and a token that is not
    accepted, are raised.
    """
    plane = clouds.plane
    with transport.open_client(plane.context, plane.limits) as http:
        prover = _Prover(clouds, http, cloud_id, resource_id)
        try:
            written = prover.sign(write=True)
            prover.put(written)
            uri = written.file_uri
            answer = prover.get(prover.sign(write=False), origin)
            exposed = _check_cors(answer, origin)
        except _Broken as broken:
            return BucketProof(
                origin,
                failed=broken.step if broken.supported else None,
                supported=broken.supported,
                reason=broken.reason,
                evidence=broken.evidence,
            )
    return BucketProof(origin, object_uri=uri, evidence=(f"PUT and GET of {uri}", exposed))


@dataclass(frozen=True)
class _Prover:
    clouds: Clouds
    http: httpx.Client
    cloud_id: str
    resource_id: str | None

    def sign(self, *, write: bool) -> PresignedUrl:
        try:
            signed = self.clouds.presigned_url(
                self.cloud_id,
                write=write,
                file_type=FILE_TYPE,
                file_name=FILE_NAME,
                resource_id=self.resource_id,
            )
        except ApiFailure as failure:
            if failure.status in (0, 401):
                raise
            reason = f"the control plane gives no address for the bucket: {failure.cause}"
            raise _Broken(ProofStep.URL, reason, failure.evidence) from failure
        if signed.url_scheme != "http":
            reason = f"the control plane answers with the scheme {signed.url_scheme!r}"
            raise _Broken(ProofStep.URL, reason, supported=False)
        return signed

    def put(self, signed: PresignedUrl) -> None:
        headers = {}
        if signed.file_uri.startswith(("azure:", "abfss:")):
            headers["x-ms-blob-type"] = "BlockBlob"
        answer = self._send(ProofStep.PUT, signed, "PUT", headers=headers, content=CONTENT)
        if not answer.is_success:
            raise _Broken(ProofStep.PUT, "the bucket refused the write", _seen(answer))

    def get(self, signed: PresignedUrl, origin: str) -> httpx.Response:
        answer = self._send(ProofStep.GET, signed, "GET", headers={"Origin": origin})
        if not answer.is_success:
            raise _Broken(ProofStep.GET, "the bucket refused the read", _seen(answer))
        if answer.content != CONTENT:
            reason = "what was read is not what was written"
            raise _Broken(ProofStep.GET, reason, (f"{len(answer.content)} bytes",))
        return answer

    def _send(
        self,
        step: ProofStep,
        signed: PresignedUrl,
        method: str,
        *,
        headers: dict[str, str],
        content: bytes | None = None,
    ) -> httpx.Response:
        try:
            request = self.http.build_request(method, signed.url, headers=headers, content=content)
            # The query holds the signature.
            shown = f"{method} {request.url.copy_with(query=None)}"
            return transport.exchange(
                self.http,
                request,
                self.clouds.run,
                service="bucket",
                call=shown,
                grace=self.clouds.plane.limits.grace,
            )
        except (httpx.HTTPError, httpx.InvalidURL) as failure:
            kind = transport.kind_of(failure) if isinstance(failure, httpx.HTTPError) else "no URL"
            raise _Broken(step, f"the bucket cannot be reached from here: {kind}") from failure


def _check_cors(answer: httpx.Response, origin: str) -> str:
    """The exposed headers as evidence; raises when a browser would not be let in."""
    allowed = answer.headers.get("access-control-allow-origin", "")
    if allowed not in (origin, "*"):
        reason = f"the bucket does not allow {origin} to read it in a browser"
        seen = f"access-control-allow-origin: {allowed or 'absent'}"
        raise _Broken(ProofStep.CORS, reason, (seen,))
    header = answer.headers.get("access-control-expose-headers", "")
    exposed = {name.strip().lower() for name in header.split(",")}
    missing = [name for name in EXPOSED_HEADERS if name.lower() not in exposed]
    if missing and "*" not in exposed:
        reason = f"the bucket's CORS rule does not expose {', '.join(missing)}"
        raise _Broken(
            ProofStep.CORS, reason, (f"access-control-expose-headers: {header or 'absent'}",)
        )
    return f"access-control-allow-origin: {allowed}"


def _seen(answer: httpx.Response) -> tuple[str, ...]:
    """The status, and S3's own code when the body has one."""
    status = f"HTTP {answer.status_code}"
    _, found, rest = answer.text[:2000].partition("<Code>")
    return (f"{status} {rest.partition('</Code>')[0]}",) if found else (status,)
