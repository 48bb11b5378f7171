"""Checks that a pod makes for us, with the workloads' own identity and from where they run."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from urllib.parse import urlsplit

from anyscale_k8s_cli.addons.pod_probe import Answer, PodProbe, Question
from anyscale_k8s_cli.checks import BoundCheck, Finding, Status, declared, passed
from anyscale_k8s_cli.parallel import Once

# The least right of each step, in the store's own words.
_RIGHTS: Mapping[str, Mapping[str, str]] = {
    "s3": {
        "put": "s3:PutObject",
        "get": "s3:GetObject",
        "list": "s3:ListBucket",
        "multipart": "s3:PutObject, and kms:Decrypt where a key of KMS is used",
        "delete": "s3:DeleteObject",
    },
    "gs": {
        "put": "storage.objects.create",
        "get": "storage.objects.get",
        "list": "storage.objects.list",
        "delete": "storage.objects.delete",
    },
    "abfss": dict.fromkeys(
        ("put", "get", "list", "delete"), "the role Storage Blob Data Contributor"
    ),
}
_RIGHTS = {**_RIGHTS, "azure": _RIGHTS["abfss"]}
# What a store's own word for a refusal means.
_MEANS = {
    **dict.fromkeys(
        ("NoSuchBucket", "ContainerNotFound", "notFound"), "there is no bucket {url} at {at}"
    ),
    **dict.fromkeys(
        ("InvalidAccessKeyId", "SignatureDoesNotMatch", "ExpiredToken", "InvalidToken"),
        "{at} does not take the workloads' credentials",
    ),
    **dict.fromkeys(
        ("AuthorizationHeaderMalformed", "PermanentRedirect", "IllegalLocationConstraint"),
        "{url} is asked for in the wrong region",
    ),
    "RequestTimeTooSkewed": "the clock of the pod's node is wrong",
}
_STAGES = {
    "dns": "its name is not known to the cluster's DNS",
    "connect": "no connection comes about",
    "proxy": "the proxy does not let it through",
    "tls": "who answers there is not trusted",
    "answer": "the connection breaks off",
}


def pod_checks(
    probe: PodProbe, question: Callable[[], Question], again: str, needed: Collection[str] = ()
) -> tuple[BoundCheck, ...]:
    """What one pod answers; it is made, asked and removed when the first of them is run.

    Of the question's hosts those that are `needed` fail, the others warn. `again` mends what
    is ours. What cannot be asked (no image, no room, refused by a policy) is raised, which
    is `unknown`.
    """
    asked = Once(question)
    ask = Once(lambda: probe.ask(asked()))

    def use() -> Finding:
        found, bucket = ask(), asked().storage
        return storage(found, bucket.url if bucket else "", again)

    return (
        declared.POD_STORAGE.bind(use),
        declared.POD_EGRESS.bind(lambda: egress(ask(), needed)),
    )


# -- the bucket ---------------------------------------------------------------------


def storage(answers: Sequence[Answer], url: str, again: str) -> Finding:
    """The round trip: what was refused first, why, and what mends it."""
    steps = [item for item in answers if item.part == "store"]
    if not steps:
        return Finding(Status.UNKNOWN, "it was not asked for a bucket")
    evidence = tuple(map(_line, steps))
    first = next((item for item in steps if not item.ok), None)
    if first is None:
        done = ", ".join(item.step for item in steps[1:])
        return Finding(Status.PASS, f"{done}, by {steps[0].said}", evidence)
    detail, fix = _cause(first, url, again)
    return Finding(Status.FAIL, detail, evidence, fix)


def _line(item: Answer) -> str:
    if item.ok:
        return f"{item.step}: done" + f" ({item.said})" * bool(item.said)
    said = ": ".join(part for part in (item.code or item.stage, item.said) if part)
    return f"{item.step}: {f'HTTP {item.status} ' * bool(item.status)}{said}"


def _cause(item: Answer, url: str, again: str) -> tuple[str, str]:
    if item.kind == "unanswered":
        return f"pods do not reach {item.at}: {_stage(item)}", _way_out(item)
    if item.kind == "no-credentials":
        return f"a pod of the workloads is given no credentials: {item.said}", again
    told = f"{item.code}: {item.said}" if item.code else item.said
    return f"{_meaning(item, url)}: {told}", again


def _meaning(item: Answer, url: str) -> str:
    if item.step == "credentials":
        return f"the identity of the workloads' pods is refused at {item.at}"
    if item.code in _MEANS:
        return _MEANS[item.code].format(url=url, at=item.at)
    if item.status in (401, 403):
        right = _RIGHTS.get(urlsplit(url).scheme, {}).get(item.step, "")
        return f"pods may not {item.step} in {url}" + f" (it takes {right})" * bool(right)
    return f"{item.step} in {url}"


# -- the way out --------------------------------------------------------------------


def egress(answers: Sequence[Answer], needed: Collection[str]) -> Finding:
    """Which hosts cannot be reached, and how far one gets."""
    asked = [item for item in answers if item.part == "reach"]
    shut = sorted((item for item in asked if not item.ok), key=lambda item: item.step not in needed)
    if not shut:
        return passed(", ".join(_host(item.step) for item in asked))
    hosts = ", ".join(_host(item.step) for item in shut)
    status = Status.FAIL if shut[0].step in needed else Status.WARN
    first = shut[0]
    return Finding(
        status,
        f"pods do not reach {hosts}; of the first: {_stage(first)}",
        tuple(f"{item.step}: {item.stage}: {item.said}" for item in shut),
        _way_out(first),
    )


def _stage(item: Answer) -> str:
    return f"{_STAGES.get(item.stage, item.stage)} ({item.said})"


def _way_out(item: Answer) -> str:
    host = _host(item.step if item.part == "reach" else item.at)
    if item.stage == "dns":
        return f"let the cluster's DNS answer for {host}"
    if item.stage == "tls":
        return (
            f"let TLS to {host} through unopened, or give the operator and its pods the authority "
            "of what opens it"
        )
    return f"let the cluster's pods out to {host}: security groups, network policies, firewalls"


def _host(address: str) -> str:
    parts = urlsplit(address)
    port = {"https": 443, "http": 80}.get(parts.scheme) if parts.port is None else parts.port
    return f"{parts.hostname}:{port}"
