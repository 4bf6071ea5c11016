"""The application managers open: stored pages without a kernel, and a few live pages that read recorded results only.

It is Voila, with its open doors shut: of Voila's own routes only the live pages remain. `serve` is the whole interface.
"""

import secrets
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from collect_analysis.errors import WorkplaceError
from collect_analysis.runs.pages.address import Address

SHORTEST_TOKEN = 16
# Each audience has a door of its own, and the environment variable that holds its token.
TOKENS = {"managers": "COLLECT_PAGES_TOKEN", "team_leads": "COLLECT_TEAM_LEADS_TOKEN"}


def serve(
    reports: Path,
    *,
    host: str = "127.0.0.1",
    port: int = 8866,
    certfile: Path | None = None,
    keyfile: Path | None = None,
    behind_proxy: bool = False,
    token: str | None,
    audience: str = "managers",
    open_browser: bool = False,
    ready: Callable[[str], None] | None = None,
    notebooks: Path | None = None,
    clock: Callable[[], datetime] | None = None,
) -> None:
    """Serve the published pages of one audience until interrupted or terminated.

    Whoever knows the token may read every page of that audience; without one given, one is made. `ready` is told the link with the token once
    pages can be opened (default: a line on stderr). `port` 0 takes a free one. `certfile` and `keyfile` encrypt the connection, or a proxy in
    front does (`behind_proxy`). Live pages come from `notebooks/pages/` (default: of the project, if there is one). `clock` says now, for
    the age of reports.

    Raises
    ------
    ParameterError
        The address can be reached from other computers without encryption; certificate or key cannot be used.
    WorkplaceError
        The reports folder is not there, the token is too short, or nothing can listen on host and port.
    """
    address = Address(host=host, port=port, certfile=certfile, keyfile=keyfile, behind_proxy=behind_proxy)
    address.require_safe()
    if not reports.is_dir():
        raise WorkplaceError(f"there is no reports folder {reports}; run a report first, or name another with --reports")
    token = token or secrets.token_urlsafe(24)
    if len(token) < SHORTEST_TOKEN:
        raise WorkplaceError(f"{TOKENS[audience]} has {len(token)} characters; use at least {SHORTEST_TOKEN}, or none and one is made")
    # jsonschema imports it if it is there; it costs a second and a half and no notebook format needs it.
    sys.modules.setdefault("rfc3987_syntax", None)  # type: ignore[arg-type]
    from collect_analysis.runs.pages.application import Pages

    Pages.make(
        reports=reports,
        notebooks=notebooks or _project_notebooks(),
        address=address,
        token=token,
        audience=audience,
        open_browser=open_browser,
        ready=ready or _tell,
        clock=clock or (lambda: datetime.now(UTC)),
    ).run()


def _tell(link: str) -> None:
    sys.stderr.write(f"Pages are open at {link}\n")
    sys.stderr.flush()


def _project_notebooks() -> Path | None:
    from collect_analysis.book.places import notebooks_folder

    try:
        return notebooks_folder()
    except WorkplaceError:
        return None
