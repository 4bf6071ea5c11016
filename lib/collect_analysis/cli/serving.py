"""`collect serve`: the pages managers read."""

import os
from pathlib import Path

import click

from collect_analysis.cli import options


@click.command("serve")
@options.reports
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", type=click.IntRange(0, 65535), default=8866, show_default=True, help="Port to listen on.")
@options.now
@click.option("--open/--no-open", "open_browser", default=False, help="Open the pages in a browser.")
def serve(reports: Path | None, host: str, port: int, now: str | None, open_browser: bool) -> None:
    """Serve the published pages. The token comes from COLLECT_PAGES_TOKEN; without it one is made and told."""
    from collect_analysis.reporting.pages import serve as serve_pages

    token = os.environ.get("COLLECT_PAGES_TOKEN")
    options.moment(now)
    folder = options.reports_setting(reports).value
    serve_pages(folder, host=host, port=port, token=token, open_browser=open_browser, clock=lambda: options.moment(now))
