"""Images that a node does not get: what the registry says, and whether that will change."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from anyscale_k8s_cli.cluster.documents import Documents

# https://kubernetes.io/docs/concepts/containers/images/#imagepullbackoff
_STATES = ("ErrImagePull", "ImagePullBackOff")
_FAILED = "Failed to pull image"
# Each part of the runtime names the image, and then says what the next one has said.
_AROUND = '": '
# As registries and the runtimes of containers word it.
_NOT_LET_IN = re.compile(
    r"pull access denied|may require authorization|unauthorized|authentication required"
    r"|authorization failed|no basic auth credentials|insufficient_scope|\bdenied\b|\b40[13]\b",
    re.IGNORECASE,
)
_NOT_REACHED = re.compile(
    r"\bdial (tcp|udp)\b|\btimeout\b|timed out|deadline exceeded|no such host|no route to host"
    r"|connection (refused|reset)|network is unreachable",
    re.IGNORECASE,
)
_NOT_THERE = re.compile(r"not found|manifest unknown|name unknown|\b404\b", re.IGNORECASE)


@dataclass(frozen=True)
class FailedPull:
    """`state` is the container's, `words` are the registry's, as far as there are any."""

    container: str
    image: str
    state: str
    words: str

    def __str__(self) -> str:
        return f"{self.state}: {self.words}"

    @property
    def shortly(self) -> str:
        """The registry's own words, without those of the runtime around them."""
        return f"{self.state}: {self.words.rpartition(_AROUND)[2]}"

    @property
    def final(self) -> bool:
        """Whether another try brings the same: not of a network or a registry that is down."""
        return self._not_let_in or bool(_NOT_THERE.search(self._said))

    @property
    def mend(self) -> str:
        """What lets the node have the image; empty where that is not to be told."""
        if self._not_let_in:
            return (
                f"name a Secret with a login for {self._registry} by --image-pull-secret NAME, or "
                "let the nodes pull from it; if its name is another, --image-registry HOST/PATH"
            )
        if self.final:
            return (
                f"copy the image to {self._registry} (`anyscale mirror list` names all of them), "
                "or say where it is with --image-registry HOST/PATH"
            )
        if _NOT_REACHED.search(self._said):
            return (
                f"let the nodes reach {self._registry}, or copy the images to a registry that they "
                "reach (`anyscale mirror list` names them) and name it with --image-registry "
                "HOST/PATH; where it wants a login, add --image-pull-secret NAME"
            )
        return ""

    @property
    def _not_let_in(self) -> bool:
        return bool(_NOT_LET_IN.search(self._said))

    @property
    def _said(self) -> str:
        """Without the image's name, which may hold anything."""
        path = self.image.rpartition("@")[0] or self.image
        name = path[: path.rfind(":")] if ":" in path.rpartition("/")[2] else path
        return self.words.replace(self.image, "").replace(name, "")

    @property
    def _registry(self) -> str:
        host, slash, _ = self.image.partition("/")
        return host if slash and ("." in host or ":" in host) else "docker.io"


def failed_pull(status: dict[str, Any], events: Documents) -> FailedPull | None:
    """What is wrong with a container's image; None where that is not it.

    `status` is the container's, and `events` are about its pod, from old to new: while it
    backs off, they alone have the registry's words.
    """
    waiting = (status.get("state") or {}).get("waiting") or {}
    if waiting.get("reason") not in _STATES:
        return None
    image, message = str(status.get("image") or ""), str(waiting.get("message") or "")
    told = [str(event.get("message") or "") for event in events if event.get("reason") == "Failed"]
    mine = [line for line in told if line.startswith(_FAILED) and f'"{image}"' in line]
    words = " ".join((mine[-1] if mine else message).split())
    return FailedPull(status["name"], image, waiting["reason"], words)
