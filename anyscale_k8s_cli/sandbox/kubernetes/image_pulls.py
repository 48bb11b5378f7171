"""Which images the nodes can pull, and what their runtime says of the others."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from anyscale_k8s_cli.sandbox.kubernetes.objects import namespace_of
from anyscale_k8s_cli.sandbox.kubernetes.resources import Object
from anyscale_k8s_cli.sandbox.kubernetes.store import Store

# In an image's name: what no registry has.
NO_SUCH_IMAGE = "no-such-image"
_DOCKER_HUB = "docker.io"
# Docker Hub's own name for the machine that answers.
_MACHINES = {_DOCKER_HUB: "registry-1.docker.io"}


@dataclass(frozen=True)
class Pulls:
    """`registries` are those that nodes reach, by their hosts; None means all.

    `logins` are those that let nobody in without a login, with `USER:PASSWORD`.
    """

    registries: frozenset[str] | None = None
    logins: Mapping[str, str] = field(default_factory=dict)

    def refusal(self, image: str, shown: Mapping[str, str] | None = None) -> str:
        """Why the runtime cannot pull an image; empty if it can. `shown` are a pod's logins."""
        name = _full(image)
        host, _, path = name.partition("/")
        why = ""
        if self.registries is not None and host not in self.registries:
            path, tag = _split(path)
            place = f"https://{_MACHINES.get(host, host)}/v2/{path}/manifests/{tag}"
            why = f'failed to do request: Head "{place}": dial tcp: i/o timeout'
        elif NO_SUCH_IMAGE in image:
            why = "not found"
        elif self.logins.get(host, "") != (shown or {}).get(host, "") and host in self.logins:
            why = "pull access denied, repository does not exist or may require authorization"
        if not why:
            return ""
        code = "NotFound" if why == "not found" else "DeadlineExceeded"
        code = "Unknown" if why.startswith("pull access denied") else code
        return (
            f"rpc error: code = {code} desc = failed to pull and unpack image "
            f'"{name}": failed to resolve reference "{name}": {why}'
        )


def logins_of(store: Store, pod: Object) -> dict[str, str]:
    """The logins in the Secrets that a pod names, `USER:PASSWORD` by host."""
    return {
        host: base64.b64decode(login["auth"]).decode()
        for config in _configs(store, pod)
        for host, login in (config.get("auths") or {}).items()
        if login.get("auth")
    }


def _configs(store: Store, pod: Object) -> Iterator[Object]:
    for named in pod["spec"].get("imagePullSecrets") or ():
        secret = store.find("secrets", namespace_of(pod), named["name"])
        if secret is not None and ".dockerconfigjson" in (secret.get("data") or {}):
            yield json.loads(base64.b64decode(secret["data"][".dockerconfigjson"]))


def _full(image: str) -> str:
    """The name with its registry: without one it is of Docker Hub, as `library/` if of nobody."""
    first, slash, _ = image.partition("/")
    if slash and ("." in first or ":" in first or first == "localhost"):
        return image
    return f"{_DOCKER_HUB}/{image}" if slash else f"{_DOCKER_HUB}/library/{image}"


def _split(path: str) -> tuple[str, str]:
    """A path in a registry, and its tag or digest."""
    for mark in ("@", ":"):
        if mark in path:
            path, _, tag = path.partition(mark)
            return path, tag
    return path, "latest"
