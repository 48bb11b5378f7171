"""Each code is documented and tested: the sets are the same as that of the registered."""

from __future__ import annotations

import ast
import re
from types import ModuleType

from anyscale_k8s_cli import errors
from anyscale_k8s_cli.checks import Severity, When
from anyscale_k8s_cli.checks.registry import every_check
from anyscale_k8s_cli.troubles import Cause

from .conftest import DOCS, ROOT, generator, parsed

ENTRY = re.compile(r"^### (\S+)\n\n(.*?)(?=^##|\Z)", re.MULTILINE | re.DOTALL)


def documented_errors() -> dict[str, str]:
    return dict(ENTRY.findall((DOCS / "errors.md").read_text(encoding="utf-8")))


def registered_errors() -> dict[str, str]:
    """Slug and the constant's name of every code."""
    modules: list[ModuleType] = generator().registers()
    return {
        value.slug: name
        for module in modules
        for name, value in vars(module).items()
        if isinstance(value, errors.ErrorCode)
    }


def text_of_tests() -> str:
    files = (ROOT / "tests").rglob("*.py")
    return "\n".join(file.read_text(encoding="utf-8") for file in files)


def test_registered_errors_are_documented() -> None:
    assert set(documented_errors()) == set(registered_errors())


def test_an_error_is_told_with_what_mends_it() -> None:
    def is_whole(text: str) -> bool:
        meaning, _, fix = text.partition("\nFix: ")
        return bool(meaning.strip() and fix.strip())

    assert [slug for slug, text in documented_errors().items() if not is_whole(text)] == []


def test_registered_errors_are_tested() -> None:
    text = text_of_tests()
    named = set(re.findall(r"\b(?:errors|codes)\.([A-Z0-9_]+)", text))
    quoted = set(re.findall(r"[\"']([a-z0-9-]+)[\"']", text))

    untested = {slug for slug, name in registered_errors().items() if name not in named}
    assert untested - quoted == set()


CHECKS = {page.stem: page for page in (DOCS / "checks").glob("*.md") if page.stem != "README"}
DECLARED = {check.code: check for check in every_check()}


def test_every_check_has_its_page_and_every_page_its_check() -> None:
    assert set(CHECKS) == set(DECLARED)


def test_every_check_is_bound_to_what_it_does() -> None:
    """By its name in capitals, which is that of its code."""
    bound = {
        getattr(node.func.value, "attr", getattr(node.func.value, "id", ""))
        for _, module in parsed(where=".bind")
        for node in ast.walk(module)
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr in ("bind", "bind_room")
    }

    assert {code.upper().replace("-", "_") for code in DECLARED} <= bound


def test_every_check_is_tested() -> None:
    text = text_of_tests()
    named = set(re.findall(r"\bdeclared\.([A-Z0-9_]+)", text))
    quoted = set(re.findall(r"[\"']([a-z0-9-]+)[\"']", text))

    untested = {code for code in DECLARED if code.upper().replace("-", "_") not in named}
    assert untested - quoted == set()


def is_whole(code: str, text: str) -> bool:
    """Whether the page of a check has its parts."""
    check = DECLARED[code]
    parts = ["What it means", "Why it is asked", "What to do"]
    if check.when & {When.SETUP, When.VERIFY, When.DOCTOR}:
        parts.append("To do without it")
        if f"`--waive {code}`" not in text:
            return False
    stops_setup = check.severity is Severity.FATAL and When.SETUP in check.when
    return (
        text.startswith(f"# {code}\n\n")
        and re.findall(r"^## (.+)$", text, re.MULTILINE) == parts
        and ("setup stops before any change" in " ".join(text.split())) == stops_setup
    )


def test_a_page_of_a_check_has_its_parts() -> None:
    texts = {code: page.read_text(encoding="utf-8") for code, page in CHECKS.items()}

    assert [code for code, text in texts.items() if not is_whole(code, text)] == []


def test_the_page_of_exit_codes_is_the_table() -> None:
    page = (DOCS / "exit-codes.md").read_text(encoding="utf-8")
    rows = [line.split("|") for line in page.splitlines() if line.startswith("| ")][1:]
    listed = {(int(row[1]), row[2].strip().strip("`")) for row in rows if row[1].strip().isdigit()}

    assert listed == {(int(code), code.name) for code in errors.ExitCode}


def test_every_cause_of_a_missing_address_is_told() -> None:
    page = (DOCS / "network.md").read_text("utf-8")
    told = re.findall(r"^\| `([a-z-]+)` \|", page.partition("## When no address comes")[2], re.M)
    assert told == [cause.value for cause in Cause]
