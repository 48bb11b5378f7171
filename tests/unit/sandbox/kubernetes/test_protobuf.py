"""Reading protobuf bodies, written here byte by byte as Go's client would."""

from __future__ import annotations

import base64

import pytest

from anyscale_k8s_cli.sandbox.kubernetes.errors import ApiError
from anyscale_k8s_cli.sandbox.kubernetes.protobuf import MAGIC, decode


def varint(number: int) -> bytes:
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*out, number])


def text(field: int, value: str | bytes) -> bytes:
    raw = value.encode() if isinstance(value, str) else value
    return varint(field << 3 | 2) + varint(len(raw)) + raw


def number(field: int, value: int) -> bytes:
    return varint(field << 3) + varint(value)


def entry(field: int, key: str, value: str | bytes) -> bytes:
    return text(field, text(1, key) + text(2, value))


def body(api_version: str, kind: str, message: bytes) -> bytes:
    return MAGIC + text(1, text(1, api_version) + text(2, kind)) + text(2, message)


def test_a_secret_with_labels_and_binary_data() -> None:
    metadata = text(1, "release") + text(3, "ns") + entry(11, "owner", "helm") + text(5, "")
    payload = bytes(range(256)) * 3
    message = text(1, metadata) + entry(2, "release", payload) + text(3, "helm.sh/release.v1")
    assert decode(body("v1", "Secret", message)) == {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "release", "namespace": "ns", "labels": {"owner": "helm"}},
        "data": {"release": base64.b64encode(payload).decode()},
        "type": "helm.sh/release.v1",
    }


def test_delete_options() -> None:
    message = number(1, 0) + text(2, text(1, "the-uid")) + text(4, "Foreground") + text(5, "All")
    assert decode(body("v1", "DeleteOptions", message)) == {
        "apiVersion": "v1",
        "kind": "DeleteOptions",
        "gracePeriodSeconds": 0,
        "preconditions": {"uid": "the-uid"},
        "propagationPolicy": "Foreground",
        "dryRun": ["All"],
    }


def test_a_token_request() -> None:
    message = text(2, text(1, "sts") + text(1, "api") + number(4, 600))
    decoded = decode(body("authentication.k8s.io/v1", "TokenRequest", message))
    assert decoded["spec"] == {"audiences": ["sts", "api"], "expirationSeconds": 600}


def test_gos_zero_time_is_no_time() -> None:
    zero = number(1, (1 << 64) - 62135596800)
    decoded = decode(body("v1", "Namespace", text(1, text(1, "n") + text(8, zero))))
    assert decoded["metadata"] == {"name": "n"}


def test_other_kinds_are_refused_cleanly() -> None:
    with pytest.raises(ApiError) as caught:
        decode(body("apps/v1", "Deployment", b""))
    assert caught.value.status == 415


@pytest.mark.parametrize("raw", [b"{}", MAGIC, MAGIC + b"\x0a\x7f", MAGIC + b"\xff\xff"])
def test_garbage_is_a_bad_request(raw: bytes) -> None:
    with pytest.raises(ApiError) as caught:
        decode(raw)
    assert caught.value.status == 400


def test_what_kubectl_makes_of_a_granted_right() -> None:
    rule = text(1, "get") + text(1, "list") + text(2, "") + text(3, "namespaces")
    role = body(
        "rbac.authorization.k8s.io/v1", "ClusterRole", text(1, text(1, "r")) + text(2, rule)
    )
    assert decode(role)["rules"] == [
        {"verbs": ["get", "list"], "apiGroups": [""], "resources": ["namespaces"]}
    ]
    group = "rbac.authorization.k8s.io"
    subject = text(1, "User") + text(2, group) + text(3, "me") + text(4, "")
    reference = text(1, group) + text(2, "ClusterRole") + text(3, "r")
    binding = text(1, text(1, "b")) + text(2, subject) + text(3, reference)
    decoded = decode(body(f"{group}/v1", "ClusterRoleBinding", binding))
    assert decoded["subjects"] == [{"kind": "User", "apiGroup": group, "name": "me"}]
    assert decoded["roleRef"] == {"apiGroup": group, "kind": "ClusterRole", "name": "r"}
