"""Where the token and the address of the control plane come from.

The file is the one the vendor's client uses, so that a login made with either
tool serves both: `~/.anyscale/credentials.json`, an object with `cli_token`.
"""

from __future__ import annotations

import json
import os
import stat
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import SplitResult, urlsplit

from anyscale_k8s_cli import errors

DEFAULT_HOST = "https://console.anyscale.com"
HOST_VARIABLE = "ANYSCALE_HOST"
TOKEN_VARIABLE = "ANYSCALE_CLI_TOKEN"  # noqa: S105 - the name of a variable
LOGIN_COMMAND = "anyscale login"

_FOLDER_MODE = 0o700
_FILE_MODE = 0o600
# The vendor's client writes the first; its Terraform provider also reads the second.
_KEYS = ("cli_token", "token")
_LOOPBACK = ("localhost", "127.0.0.1", "::1")


@dataclass(frozen=True)
class Credentials:
    """Who we are to which control plane.

    `source` says where the token was found; `warnings` are for the person and
    hold no secret. An empty token means calls without authentication.
    """

    host: str
    token: str = field(repr=False)
    source: str
    warnings: tuple[str, ...] = ()

    @property
    def renewal(self) -> str:
        """What a person types to have another token: a variable would win over a login's file."""
        return _renewal(self.source)


def credentials_file(home: Path) -> Path:
    return home / ".anyscale" / "credentials.json"


def host_from(environ: Mapping[str, str]) -> str:
    """The console's base URL without a trailing slash; production when nothing is set.

    Plain http is refused except on loopback, because every call carries the token.
    """
    host = environ.get(HOST_VARIABLE, "").strip().rstrip("/") or DEFAULT_HOST
    parts = urlsplit(host)
    whole = parts.hostname and _port_fits(parts) and not (parts.query or parts.fragment)
    if parts.scheme not in ("https", "http") or not whole:
        raise errors.CliError(
            errors.USAGE,
            f"{HOST_VARIABLE} is not the address of a console",
            cause=f"it is {host!r}; expected something like {DEFAULT_HOST}",
            fix=f"export {HOST_VARIABLE}={DEFAULT_HOST}",
        )
    if parts.scheme == "http" and parts.hostname not in _LOOPBACK:
        raise errors.CliError(
            errors.USAGE,
            f"{HOST_VARIABLE} would send the token unencrypted",
            cause=f"{host} is plain http",
            fix=f"export {HOST_VARIABLE}=https://{parts.netloc}",
        )
    return host


def _port_fits(parts: SplitResult) -> bool:
    try:
        return parts.port != 0
    except ValueError:
        return False


def anonymous(environ: Mapping[str, str]) -> Credentials:
    """For the calls that need no token: the login and the health of the host."""
    return Credentials(host=host_from(environ), token="", source="none")


def find_credentials(environ: Mapping[str, str], home: Path) -> Credentials:
    """The environment's token, else the file's.

    Raises `not-logged-in` when there is neither and `token-malformed` when
    what is there cannot be a token; nothing is sent anywhere for this.
    """
    host = host_from(environ)
    from_environment = environ.get(TOKEN_VARIABLE, "").strip()
    if from_environment:
        check_format(from_environment, TOKEN_VARIABLE)
        return Credentials(host, from_environment, f"environment variable {TOKEN_VARIABLE}")
    path = credentials_file(home)
    token = _read_token(path)
    check_format(token, str(path))
    warnings = tuple(
        f"{wide} can be read by others (mode {stat.S_IMODE(wide.stat().st_mode):04o}); "
        "repair it with: anyscale auth fix"
        for wide in too_wide(home)
    )
    return Credentials(host, token, str(path), warnings)


def check_format(token: str, source: str) -> None:
    """Refuse what is certainly no token, before it is sent to anyone."""
    known = token.startswith("sss_") or (token.startswith("a") and "_" in token)
    # Header-breaking characters would otherwise surface as an obscure protocol error.
    if known and token.isascii() and token.isprintable() and " " not in token:
        return
    raise errors.CliError(
        errors.TOKEN_MALFORMED,
        "The Anyscale token does not look like a token",
        cause=f"the value from {source} neither starts with 'sss_' nor has the form 'aph0_…'",
        fix=_renewal(source),
    )


def _renewal(source: str) -> str:
    in_environment = source.endswith(TOKEN_VARIABLE)
    return f"unset {TOKEN_VARIABLE} && {LOGIN_COMMAND}" if in_environment else LOGIN_COMMAND


def store_token(token: str, home: Path) -> Path:
    """Write the file (0600, in a folder of 0700), replacing an older one as a whole."""
    check_format(token, "the login")
    path = credentials_file(home)
    path.parent.mkdir(mode=_FOLDER_MODE, parents=True, exist_ok=True)
    path.parent.chmod(_FOLDER_MODE)
    # mkstemp creates with 0600, so the token is at no time readable by others.
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=".credentials-")
    temporary = Path(name)
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as out:
            json.dump({"cli_token": token}, out)
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    return path


def remove_token(home: Path) -> bool:
    """Delete the file; False when there was none."""
    path = credentials_file(home)
    existed = path.exists()
    path.unlink(missing_ok=True)
    return existed


def too_wide(home: Path) -> tuple[Path, ...]:
    """The folder and the file as far as others may use them; Windows has no such modes."""
    path = credentials_file(home)
    wanted = ((path.parent, _FOLDER_MODE), (path, _FILE_MODE))
    if os.name == "nt":
        return ()
    return tuple(
        item for item, mode in wanted if item.exists() and item.stat().st_mode & 0o777 & ~mode
    )


def fix_modes(home: Path) -> tuple[Path, ...]:
    """Narrow the modes; returns what had to be changed."""
    changed = too_wide(home)
    for item in changed:
        item.chmod(_FOLDER_MODE if item.is_dir() else _FILE_MODE)
    return changed


def _read_token(path: Path) -> str:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise errors.CliError(
            errors.NOT_LOGGED_IN,
            "There is no Anyscale token",
            cause=f"{TOKEN_VARIABLE} is not set and {path} does not exist",
            fix=LOGIN_COMMAND,
        ) from None
    except (OSError, ValueError) as broken:
        # The parser's message would quote the file, so only its kind is told.
        raise errors.CliError(
            errors.TOKEN_MALFORMED,
            f"{path} cannot be read",
            cause=broken.strerror or "" if isinstance(broken, OSError) else "it is not JSON",
            fix=LOGIN_COMMAND,
        ) from None
    values = content if isinstance(content, dict) else {}
    token = next((values[key] for key in _KEYS if isinstance(values.get(key), str)), "")
    if not token.strip():
        raise errors.CliError(
            errors.NOT_LOGGED_IN,
            "There is no Anyscale token",
            cause=f"{path} holds no cli_token",
            fix=LOGIN_COMMAND,
        )
    return str(token).strip()
