"""Options declared once, as fields of a dataclass, and taken by many commands.

A command's parameter whose type is such a dataclass stands for all its fields.
"""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Callable
from typing import Any, TypeVar

F = TypeVar("F", bound=Callable[..., Any])


def spread(function: F) -> F:
    """The function with each dataclass parameter replaced by the dataclass's fields."""
    given = inspect.signature(function, eval_str=True)
    own: list[inspect.Parameter] = []
    groups: dict[str, type[Any]] = {}
    for parameter in given.parameters.values():
        kind = parameter.annotation
        if isinstance(kind, type) and dataclasses.is_dataclass(kind):
            groups[parameter.name] = kind
            own += inspect.signature(kind).parameters.values()
        else:
            own.append(parameter)
    keyword_only = [item.replace(kind=inspect.Parameter.KEYWORD_ONLY) for item in own]

    def spreading(**values: Any) -> Any:
        for name, kind in groups.items():
            fields = [field.name for field in dataclasses.fields(kind)]
            values[name] = kind(**{field: values.pop(field) for field in fields})
        return function(**values)

    spreading.__name__ = function.__name__
    spreading.__doc__ = function.__doc__
    spreading.__module__ = function.__module__
    spreading.__signature__ = inspect.Signature(keyword_only)  # type: ignore[attr-defined]
    spreading.__annotations__ = {item.name: item.annotation for item in keyword_only}
    return spreading  # type: ignore[return-value]
