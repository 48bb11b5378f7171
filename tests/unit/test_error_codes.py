"""Codes of errors: registered in their modules alone, each by one name, and each used to raise."""

from __future__ import annotations

import ast
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
REGISTER = ROOT / "anyscale_k8s_cli" / "errors.py"
SOURCES = [*(ROOT / "anyscale_k8s_cli").rglob("*.py"), *(ROOT / "providers").rglob("*.py")]


def parsed(where: str) -> Iterator[tuple[Path, ast.Module]]:
    """The sources in whose text a pattern is found: to read all takes long."""
    texts = ((path, path.read_text(encoding="utf-8")) for path in SOURCES)
    return ((path, ast.parse(text)) for path, text in texts if re.search(where, text))


def registers() -> list[Path]:
    return [path for path in SOURCES if path == REGISTER or path.name == "codes.py"]


def registrations(tree: ast.Module) -> Iterator[tuple[str, str]]:
    """The constant's name and the slug of each `NAME = ErrorCode("slug", …)`."""
    for node in tree.body:
        if isinstance(node, ast.Assign) and is_call_of(node.value, "ErrorCode"):
            (target,) = node.targets
            assert isinstance(target, ast.Name)
            yield target.id, ast.literal_eval(node.value.args[0])


def registered() -> dict[Path, list[tuple[str, str]]]:
    """What each register has."""
    trees = {path: ast.parse(path.read_text(encoding="utf-8")) for path in registers()}
    return {path: list(registrations(tree)) for path, tree in trees.items()}


def is_call_of(node: ast.AST, name: str) -> bool:
    if not isinstance(node, ast.Call):
        return False
    called = node.func
    return (called.attr if isinstance(called, ast.Attribute) else getattr(called, "id", "")) == name


def ends_of_errors(tree: ast.Module) -> set[str]:
    """The constants that are handed to a call or stand in a table: what is only compared is not."""
    found = set()
    nodes = list(ast.walk(tree))
    compared = {
        id(item) for node in nodes if isinstance(node, ast.Compare) for item in node.comparators
    }
    for node in nodes:
        handed: list[ast.AST | None] = []
        if isinstance(node, ast.Call):
            handed = [*node.args, *(keyword.value for keyword in node.keywords)]
        elif isinstance(node, ast.Tuple | ast.List) and id(node) not in compared:
            handed = [*node.elts]
        elif isinstance(node, ast.Dict):
            handed = [*node.values]
        elif isinstance(node, ast.Assign | ast.AnnAssign | ast.Return):
            handed = [node.value]
        elif isinstance(node, ast.IfExp):
            handed = [node.body, node.orelse]
        elif isinstance(node, ast.FunctionDef):
            handed = [*node.args.defaults]
        found |= {item.attr for item in handed if isinstance(item, ast.Attribute)}
    return found


def test_codes_are_made_in_their_registers_alone() -> None:
    made = {
        path
        for path, tree in parsed("ErrorCode")
        if any(is_call_of(node, "ErrorCode") for node in ast.walk(tree))
    }
    assert made == set(registers())


def test_each_slug_and_each_name_is_there_once() -> None:
    known = [pair for pairs in registered().values() for pair in pairs]
    for place in (0, 1):
        assert [item for item, n in Counter(pair[place] for pair in known).items() if n > 1] == []


def test_each_code_ends_some_error() -> None:
    used = set().union(*(ends_of_errors(tree) for _, tree in parsed(r"(codes|errors)\.[A-Z]")))

    assert [path for path, pairs in registered().items() if not pairs] == []
    known = [pair for pairs in registered().values() for pair in pairs]
    assert sorted(slug for name, slug in known if name not in used) == []
