"""What a stock image of Python does: it runs the program that the container names.

A process of its own, with the container's variables and nothing of this process's, the
standard library alone, and what is mounted as files. There is no root of the container's
own: paths of mounts lead below a folder that goes away with the container, in variables
and in files. A container with GPUs gets `nvidia-smi`, as from NVIDIA's runtime, which knows
one question: what the node's devices are called.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import sys
import tempfile
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
from aiohttp import web

from anyscale_k8s_cli.sandbox.kubernetes.runtime import Pod
from anyscale_k8s_cli.sandbox.tls import Authority
from anyscale_k8s_cli.sandbox.workloads.device_plugin import RESOURCE, product

IMAGE = "python"
_METADATA = "GCE_METADATA_HOST"
_HOST = "127.0.0.1"
_LONGEST_LINE = 1 << 20
_PASSED = {"Metadata-Flavor", "Content-Type"}
_DRIVER = "570.133.20"
_ASKED = "--query-gpu=name,memory.total,driver_version --format=csv,noheader"
_NVIDIA_SMI = """#!/bin/sh
[ "$*" = "{asked}" ] || {{ echo "of nvidia-smi this stand-in has one question: {asked}"; exit 2; }}
cat <<'END'
{lines}
END
"""


@dataclass(frozen=True)
class PythonImage:
    """`authority` is one that every image's own list has; `names` as the operator's image."""

    authority: Authority
    names: Callable[[], str] = str

    def matches(self, image: str) -> bool:
        return image.rsplit("/", 1)[-1].partition("@")[0].partition(":")[0] == IMAGE

    async def run(self, pod: Pod) -> int:
        container = next(
            item for item in pod.manifest["spec"]["containers"] if self.matches(item["image"])
        )
        command = [*(container.get("command") or ()), *(container.get("args") or ())]
        if command[:1] != [IMAGE]:
            pod.log(f"exec: {' '.join(command)!r}: executable file not found in $PATH")
            return 127
        root = Path(await asyncio.to_thread(tempfile.mkdtemp, prefix="anyscale-pod-"))
        try:
            environment = await self._mounted(pod, container, root)
            async with _metadata(pod, environment.get(_METADATA, "")) as host:
                if host:
                    environment[_METADATA] = host
                environment |= await asyncio.to_thread(_gpus, pod, container, root)
                place = root / str(container.get("workingDir", "/")).lstrip("/")
                return await _execute(pod, command[1:], environment, place)
        finally:
            await asyncio.to_thread(shutil.rmtree, root, ignore_errors=True)

    async def _mounted(self, pod: Pod, container: Mapping[str, Any], root: Path) -> dict[str, str]:
        """The variables of the container, once its mounts are written."""
        name = str(container["name"])
        files = await pod.files(name)
        folders = pod.mounts(name)

        def moved(text: str) -> str:
            for folder in sorted(folders, key=len, reverse=True):
                text = text.replace(folder, f"{root}{folder}")
            return text

        def write() -> None:
            bundle = root / "authorities.pem"
            bundle.write_bytes(self.authority.ca_pem)
            for path, text in files.items():
                target = root / path.lstrip("/")
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_text(moved(text), encoding="utf-8")

        await asyncio.to_thread(write)
        variables = {key: moved(value) for key, value in pod.environment(name).items()}
        proxy = {"http_proxy": self.names(), "no_proxy": _HOST} if self.names() else {}
        return {
            "HOME": str(root),
            "SSL_CERT_FILE": str(root / "authorities.pem"),
            **proxy,
            **variables,
        }


def _gpus(pod: Pod, container: Mapping[str, Any], root: Path) -> dict[str, str]:
    """Bring in what NVIDIA's container runtime would; the variables that lead to it."""
    limits = (container.get("resources") or {}).get("limits") or {}
    count = int(limits.get(RESOURCE, 0))
    if not count:
        return {}
    name, memory = product(pod.node["metadata"].get("labels") or {})
    folder = root / "usr/bin"
    folder.mkdir(parents=True)
    program = folder / "nvidia-smi"
    lines = "\n".join([f"{name}, {memory} MiB, {_DRIVER}"] * count)
    program.write_text(_NVIDIA_SMI.format(asked=_ASKED, lines=lines), encoding="utf-8")
    program.chmod(0o755)
    return {"PATH": f"{folder}:{os.defpath}", "NVIDIA_VISIBLE_DEVICES": "all"}


async def _execute(
    pod: Pod, arguments: list[str], environment: Mapping[str, str], place: Path
) -> int:
    """Run the program; every line that it writes is the container's log."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-S",
        *arguments,
        cwd=place,
        env=environment,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        limit=_LONGEST_LINE,
    )
    assert process.stdout is not None, "it is piped"  # noqa: S101
    try:
        async for line in process.stdout:
            pod.log(line.decode("utf-8", "replace").rstrip("\n"))
        return await process.wait()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


@contextlib.asynccontextmanager
async def _metadata(pod: Pod, host: str) -> AsyncIterator[str]:
    """Where this pod alone asks the metadata server, which in life knows it by its address."""
    if not host:
        yield ""
        return
    own = {"Authorization": f"Bearer {await pod.own_token()}"}
    async with aiohttp.ClientSession() as http:

        async def forward(request: web.Request) -> web.Response:
            headers = {**{key: request.headers[key] for key in _PASSED & {*request.headers}}, **own}
            async with http.get(f"http://{host}{request.path_qs}", headers=headers) as answer:
                return web.Response(
                    body=await answer.read(),
                    status=answer.status,
                    headers={key: answer.headers[key] for key in _PASSED & {*answer.headers}},
                )

        application = web.Application()
        application.router.add_get("/{path:.*}", forward)
        runner = web.AppRunner(application, access_log=None, shutdown_timeout=0)
        await runner.setup()
        try:
            await web.TCPSite(runner, _HOST, 0).start()
            yield f"{_HOST}:{runner.addresses[0][1]}"
        finally:
            await runner.cleanup()
