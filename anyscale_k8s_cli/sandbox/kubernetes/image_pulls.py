"""Which images the nodes can pull, and what their runtime says of the others."""

from __future__ import annotations

from dataclasses import dataclass

# In an image's name: what no registry has.
NO_SUCH_IMAGE = "no-such-image"
_DOCKER_HUB = "docker.io"
# Docker Hub's own name for the machine that answers.
_MACHINES = {_DOCKER_HUB: "registry-1.docker.io"}


@dataclass(frozen=True)
class Pulls:
    """`registries` are those that nodes reach, by their hosts; None means all."""

    registries: frozenset[str] | None = None

    def refusal(self, image: str) -> str:
        """Why the runtime cannot pull an image; empty if it can."""
        name = _full(image)
        host, _, path = name.partition("/")
        why = ""
        if self.registries is not None and host not in self.registries:
            path, tag = _split(path)
            place = f"https://{_MACHINES.get(host, host)}/v2/{path}/manifests/{tag}"
            why = f'failed to do request: Head "{place}": dial tcp: i/o timeout'
        elif NO_SUCH_IMAGE in image:
            why = "not found"
        if not why:
            return ""
        code = "NotFound" if why == "not found" else "DeadlineExceeded"
        return (
            f"rpc error: code = {code} desc = failed to pull and unpack image "
            f'"{name}": failed to resolve reference "{name}": {why}'
        )


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
