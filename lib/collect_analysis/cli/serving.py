"""`collect serve`: the pages managers read."""

import os
from pathlib import Path

import click

from collect_analysis.cli import options
from collect_analysis.errors import ParameterError

file = click.Path(path_type=Path, exists=True, dir_okay=False)


@click.command("serve")
@options.reports
@click.option(
    "--audience",
    type=click.Choice(["managers", "team_leads"]),
    default="managers",
    show_default=True,
    help="Whose pages; each audience has a server and a token of its own.",
)
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on; another than this computer's needs --certfile.")
@click.option("--port", type=click.IntRange(0, 65535), default=8866, show_default=True, help="Port to listen on.")
@click.option("--certfile", type=file, help="Certificate (PEM) for an encrypted connection.")
@click.option("--keyfile", type=file, help="Its key (PEM, without password), if it is not in the same file.")
@click.option("--behind-proxy", is_flag=True, help="A proxy in front encrypts the connection, and hands on Host and X-Forwarded-Proto.")
@options.now
@click.option("--open/--no-open", "open_browser", default=False, help="Open the pages in a browser.")
def serve(
    reports: Path | None,
    audience: str,
    host: str,
    port: int,
    certfile: Path | None,
    keyfile: Path | None,
    behind_proxy: bool,
    now: str | None,
    open_browser: bool,
) -> None:
    """Serve the published pages of one audience.

    The token comes from COLLECT_PAGES_TOKEN, for team leads from COLLECT_TEAM_LEADS_TOKEN; without it one is made and told.
    """
    from collect_analysis.runs.pages import TOKENS, serve as serve_pages

    options.moment(now)
    folder = options.reports_setting(reports).value
    serve_pages(
        folder,
        host=host,
        port=port,
        certfile=certfile,
        keyfile=keyfile,
        behind_proxy=behind_proxy,
        token=_token(audience, TOKENS),
        audience=audience,
        open_browser=open_browser,
        clock=lambda: options.moment(now),
    )


def _token(audience: str, variables: dict[str, str]) -> str | None:
    """The token of this audience; one that opens another audience's door as well is refused."""
    token = os.environ.get(variables[audience])
    for other, variable in variables.items():
        if token and other != audience and os.environ.get(variable) == token:
            raise ParameterError(f"{variables[audience]} and {variable} are the same; give each audience a token of its own")
    return token
