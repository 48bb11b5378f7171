"""A cloud.yaml with all that can be said in it: what is not said is commented out."""

from __future__ import annotations

import textwrap
from collections.abc import Collection, Iterator, Mapping
from typing import Any, Literal, get_args, get_origin

import yaml
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from anyscale_k8s_cli.cli import settings
from anyscale_k8s_cli.cli.spec_options import SpecOptions
from anyscale_k8s_cli.spec import CloudSpec, Settings, flags_by_path, particular_fields

_WIDTH = 88
_HEAD = """\
# One Anyscale cloud on one Kubernetes cluster. What is commented out is not said: where a
# value stands there, it is the one that holds. An option of the command wins over this file.
"""


def spec_file(said: Settings, known: Collection[str]) -> str:
    """The file's text; `known` are those of the particular fields that the platform has."""
    unknown = particular_fields() - set(known)
    told, flags = settings.help_by_path(SpecOptions), flags_by_path()

    def section(model: type[BaseModel], prefix: str) -> Iterator[str]:
        for name, field in model.model_fields.items():
            path, kind = f"{prefix}{name}", field.annotation
            if isinstance(kind, type) and issubclass(kind, BaseModel):
                inner = list(section(kind, f"{path}."))
                if inner:
                    about = textwrap.dedent(kind.__doc__ or "").strip().splitlines()[0]
                    mark = "" if any(map(_is_said, inner)) else "# "
                    yield ""
                    yield from _comment(about)
                    yield f"{mark}{name}:"
                    yield from (f"  {line}" for line in inner if line)
            elif path not in unknown:
                flag = f"({flags[path]})" if flags[path] else ""
                words = (told.get(path) or field.description, _choice(kind), flag)
                yield from _comment(" ".join(word for word in words if word))
                yield from _entry(name, path, field, said)

    return "\n".join([_HEAD, *section(CloudSpec, "")]) + "\n"


def _entry(name: str, path: str, field: FieldInfo, said: Settings) -> Iterator[str]:
    outright = path in said or path == "version"
    value = said.get(path, field.get_default(call_default_factory=True))
    shown = yaml.safe_dump({name: _plain(value)}, sort_keys=False, width=1000).rstrip()
    lines = [f"{name}:"] if value is None else shown.splitlines()
    yield from (line if outright else f"# {line}" for line in lines)


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    return value if isinstance(value, (str, int, float, bool)) else str(value)


def _comment(text: str) -> Iterator[str]:
    lines = textwrap.wrap(text, _WIDTH, break_on_hyphens=False)
    yield from (f"# {line}" for line in lines)


def _is_said(line: str) -> bool:
    return bool(line) and not line.lstrip().startswith("#")


def _choice(kind: Any) -> str:
    """The words of which one may stand there; empty where there are no such words."""
    if get_origin(kind) is Literal:
        return f"One of: {', '.join(map(str, get_args(kind)))}."
    return next((found for part in get_args(kind) if (found := _choice(part))), "")
