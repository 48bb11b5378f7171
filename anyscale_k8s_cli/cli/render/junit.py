"""A report of checks as JUnit's XML, which CI systems show as tests."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any
from xml.etree.ElementTree import Element, SubElement, indent, tostring

from anyscale_k8s_cli.checks import judgement
from anyscale_k8s_cli.errors import stands_for

# What XML cannot hold, and logs of others may.
_NO_XML = re.compile(r"[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def report(document: Mapping[str, Any]) -> str:
    """One test per check. A warning is a test that passed and says so; unknown is skipped."""
    checks = document.get("checks") or []
    error = document.get("error")
    failed = [item for item in checks if _fails(item)]
    skipped = [item for item in checks if item["status"] in ("unknown", "waived")]
    suite = Element(
        "testsuite",
        name=_text(document.get("cloud") or str(document.get("schema", ""))),
        tests=str(len(checks) + bool(error)),
        failures=str(len(failed)),
        errors=str(int(bool(error))),
        skipped=str(len(skipped)),
    )
    for item in checks:
        _case(suite, item)
    if error:
        case = SubElement(suite, "testcase", classname="anyscale.verify", name=error["code"])
        told = SubElement(case, "error", message=_text(error["message"]))
        seen, fix = error.get("evidence", ()), error.get("fix", "")
        told.text = _lines(error.get("cause", ""), seen, fix, stands_for(fix))
    suites = Element("testsuites")
    suites.append(suite)
    indent(suites)
    return tostring(suites, encoding="unicode", xml_declaration=True) + "\n"


def _case(suite: Element, item: Mapping[str, Any]) -> None:
    case = SubElement(suite, "testcase", classname="anyscale.verify", name=item["code"])
    detail = _text(item.get("detail") or judgement(item["title"], item["status"]))
    fix = item.get("fix", "")
    seen = (item.get("evidence") or (), fix, stands_for(fix), item.get("page", ""))
    body = _lines(item["title"], *seen)
    if _fails(item):
        SubElement(case, "failure", message=detail).text = body
    elif item["status"] in ("unknown", "waived"):
        SubElement(case, "skipped", message=f"{item['status']}: {detail}").text = body
    elif item["status"] in ("warn", "fail"):
        SubElement(case, "system-out").text = f"warning: {detail}\n{body}"
    else:
        SubElement(case, "system-out").text = detail


def _fails(item: Mapping[str, Any]) -> bool:
    return bool(item["status"] == "fail" and item.get("severity") != "warning")


def _lines(*parts: Any) -> str:
    found = [
        line for part in parts for line in ([part] if isinstance(part, str) else list(part)) if line
    ]
    return _text("\n".join(found))


def _text(text: str) -> str:
    return _NO_XML.sub("?", text)
