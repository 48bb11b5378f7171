"""Bad input is refused before any change, naming the field and what would be accepted."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from anyscale_k8s_cli.sandbox.world import World
from tests.refusals import OUTSIDER, REFUSALS, Refusal

if TYPE_CHECKING:
    from tests.processes import Ended, Sandbox

WORLD = World(platforms=("eks",))
# One of each way that an error takes to the screen.
SHOWN_AS_TEXT = {"option", "unknown key", "no such cluster", "no such bucket", "token as a flag"}


def refused(sandbox: Sandbox, refusal: Refusal, folder: Path, *more: str) -> Ended:
    for name, text in refusal.files.items():
        (folder / name).write_text(text)
    arguments = [word.replace("{folder}", str(folder)) for word in refusal.arguments]
    environment = sandbox.admin.outsider() if refusal.who == OUTSIDER else {}
    return sandbox.anyscale(*arguments, *more, env={**environment, **refusal.environment})


@pytest.mark.parametrize("refusal", REFUSALS, ids=str)
def test_refused_before_any_change(sandbox: Sandbox, refusal: Refusal, tmp_path: Path) -> None:
    before = sandbox.admin.last_call()
    ended = refused(sandbox, refusal, tmp_path, "-o", "json")
    assert ended.code == refusal.exit_code, ended.out + ended.err
    assert "Traceback" not in ended.err
    error = ended.document["error"]
    assert (error["code"], error["exit_code"]) == (refusal.code, refusal.exit_code)
    told = "\n".join((error["message"], error["cause"], *error["evidence"], error["fix"]))
    for text in refusal.says:
        assert text in told
    assert error["fix"], "nothing mends it"
    assert sandbox.admin.calls(after=before, writes_only=True) == []


@pytest.mark.parametrize(
    "refusal", [item for item in REFUSALS if item.name in SHOWN_AS_TEXT], ids=str
)
def test_refused_as_text(sandbox: Sandbox, refusal: Refusal, tmp_path: Path) -> None:
    ended = refused(sandbox, refusal, tmp_path)
    assert ended.code == refusal.exit_code
    assert "Traceback" not in ended.err
    assert f"code:  {refusal.code} (exit code {refusal.exit_code})" in ended.err
    assert "✗" in ended.err
    assert "fix:" in ended.err
    for text in refusal.says:
        assert text in ended.err + ended.out


def test_a_token_as_a_flag_is_not_repeated(sandbox: Sandbox, tmp_path: Path) -> None:
    refusal = next(item for item in REFUSALS if item.name == "token as a flag")
    ended = refused(sandbox, refusal, tmp_path, "-o", "json", "--verbose")
    assert "sss_marker" not in ended.out + ended.err
