"""How the checks of a cloud are shown: to people, and to CI."""

from __future__ import annotations

from xml.etree.ElementTree import Element, fromstring

from rich.console import Console

from anyscale_k8s_cli.cli.render import junit
from anyscale_k8s_cli.cli.render.verify import show_verify

from . import samples


def shown(*, verbose: bool = False) -> str:
    console = Console(width=100, color_system=None)
    with console.capture() as captured:
        show_verify(samples.verified(), console, verbose=verbose)
    return captured.get()


def test_what_failed_is_shown_with_evidence_fix_and_page() -> None:
    text = shown()

    assert "✗ 1 of 5 checks of prod failed" in text
    assert "1 pass, 1 warn, 1 fail, 1 unknown, 1 waived" in text
    assert "✗ drift              S3 bucket: tags differ" in text
    assert "line 4" in text
    assert "line 5" not in text
    assert "and 3 more (-v)" in text
    assert "anyscale cloud setup --name prod" in text
    assert "docs/checks/drift.md" in text
    assert "docs/checks/gpu-labels.md" in text
    # Of what passed, its verdict is enough.
    assert "Deployment anyscale-operator" not in text


def test_all_evidence_is_for_who_asks_for_it() -> None:
    text = shown(verbose=True)

    assert "line 7" in text
    assert "Deployment anyscale-operator" in text


def test_what_could_not_be_asked_is_no_success() -> None:
    document = samples.verified()
    unknown = [item for item in document["checks"] if item["status"] == "unknown"]
    unknown[0].update(fix="ask your administrator", evidence=["a line"])
    document["checks"] = [*unknown, *unknown]
    document["summary"] = {"unknown": 2}
    console = Console(width=100, color_system=None)
    with console.capture() as captured:
        show_verify(document, console)

    text = captured.get()

    assert "? No check of prod failed, but 2 could not be judged" in text
    assert text.count("you may not ask") == 1
    assert "? operator-token  the same" in text
    # What lets it be asked is told once; the evidence is for who asks for it.
    assert text.count("ask your administrator") == 1
    assert "a line" not in text


def case(suite: Element, name: str) -> Element:
    found = suite.find(f"testcase[@name='{name}']")
    assert found is not None
    return found


def test_a_report_for_ci() -> None:
    [suite] = fromstring(junit.report(samples.verified()))

    assert dict(suite.attrib) == {
        "name": "prod",
        "tests": "5",
        "failures": "1",
        "errors": "0",
        "skipped": "2",
    }
    [failure] = case(suite, "drift")
    assert failure.tag == "failure"
    assert failure.get("message") == "S3 bucket: tags differ"
    assert failure.text is not None
    assert "a?[31mb" in failure.text
    assert failure.text.endswith("anyscale cloud setup --name prod\ndocs/checks/drift.md")
    assert case(suite, "operator-token").find("skipped") is not None
    assert case(suite, "cluster-version")[0].get("message") == "waived: waived by its code"
    warned = case(suite, "gpu-labels")[0].text
    assert warned == "warning: gpu-1 has no label\nIt is so\ndocs/checks/gpu-labels.md"
    assert case(suite, "operator-workload")[0].tag == "system-out"


def test_people_and_ci_are_told_the_same() -> None:
    document = samples.verified()
    unknown = [item for item in document["checks"] if item["status"] == "unknown"]
    unknown[0].update(fix="ask your administrator")
    console = Console(width=200, color_system=None)
    with console.capture() as captured:
        show_verify(document, console, verbose=True)

    text, report = captured.get(), junit.report(document)

    for item in document["checks"]:
        for word in (item["code"], item["detail"], item["fix"]):
            assert word in text
            assert word in report


def test_a_command_that_failed_is_one_error() -> None:
    document = {"schema": "anyscale-k8s/verify/v1", "error": samples.ERROR}

    [suite] = fromstring(junit.report(document))

    assert (suite.get("tests"), suite.get("errors"), suite.get("failures")) == ("1", "1", "0")
    assert case(suite, "no-address")[0].get("message") == "The load balancer got no address"
