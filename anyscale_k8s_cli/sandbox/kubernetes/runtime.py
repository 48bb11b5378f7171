"""What runs in the pods of the stand-in cluster.

The API server's controllers create pods; a :class:`Workload` says what the
image of a container does. Workloads live in `sandbox/workloads/`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from anyscale_k8s_cli.sandbox.kubernetes.ports import Answer


class Pod(Protocol):
    """A running pod, as a workload sees it from inside."""

    @property
    def namespace(self) -> str: ...

    @property
    def name(self) -> str: ...

    @property
    def manifest(self) -> Mapping[str, Any]:
        """The pod object as the API server holds it now."""
        ...

    @property
    def node(self) -> Mapping[str, Any]:
        """The node that it runs on, as its kubelet knows it."""
        ...

    @property
    def api_url(self) -> str:
        """Where the API server answers (TLS, with the sandbox's authority)."""
        ...

    def environment(self, container: str) -> dict[str, str]:
        """The container's variables, with references to Secrets and ConfigMaps resolved."""
        ...

    def file(self, path: str) -> str:
        """What a Secret or ConfigMap that is mounted shows at a path of its container.

        As it is now: the kubelet follows changes. Raises LookupError if there is no such file.
        """
        ...

    def mounts(self, container: str) -> list[str]:
        """The paths at which something is mounted into a container."""
        ...

    async def files(self, container: str) -> dict[str, str]:
        """All that is mounted into a container, text by path; tokens are fresh ones."""
        ...

    async def own_token(self) -> str:
        """For programs of the node, which know its pods: one that no container need see."""
        ...

    async def token(self, audience: str | None = None) -> str:
        """A projected service-account token; without an audience, the API server's own.

        Raises LookupError if the pod's manifest mounts no such token, as in life.
        """
        ...

    async def token_file(self, path: str) -> str:
        """The projected token at a path of the container. Raises LookupError if there is none."""
        ...

    def log(self, line: str, *, container: str | None = None) -> None:
        """Append a line to a container's log (the first container's by default)."""
        ...

    def serve(self, port: int, answer: Answer) -> None:
        """Answer what is read at a port of the pod, until the pod ends."""
        ...

    async def set_ready(self, ready: bool, *, reason: str = "", message: str = "") -> None:
        """Set the pod's Ready condition and its containers' readiness."""
        ...

    async def event(self, reason: str, message: str, *, warning: bool = False) -> None:
        """Write an event about this pod."""
        ...


class Workload(Protocol):
    """What an image does; each container with a matching image runs it once.

    A container with a readiness probe is not ready until its workload says so, one
    without is ready at once. A non-zero exit code restarts the container with
    back-off, ends the pod, or fails its job, as the pod's restart policy says; an
    exception counts as exit code 2. On cancellation the pod is being deleted: its
    token still works until `run` returns.
    """

    def matches(self, image: str) -> bool: ...

    async def run(self, pod: Pod) -> int:
        """Live until cancelled (a server), or return an exit code (a job)."""
        ...
