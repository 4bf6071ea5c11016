"""Voila as this product runs it: own routes only, own template for live pages, kernels that see nothing and end soon."""

import asyncio
import logging
import os
import shutil
import tempfile
import webbrowser
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from pathlib import Path
from typing import Any, Self

from jupyter_server.services.kernels.kernelmanager import AsyncMappingKernelManager
from tornado import web
from tornado.httpserver import HTTPServer
from tornado.log import access_log
from tornado.netutil import bind_sockets
from traitlets.config import Config
from voila.app import Voila

from collect_analysis.errors import WorkplaceError
from collect_analysis.runs.child import kept_environment
from collect_analysis.runs.page import TEMPLATES
from collect_analysis.runs.pages import door, handlers
from collect_analysis.runs.pages.address import Address
from collect_analysis.runs.pages.listing import Listing
from collect_analysis.runs.pages.packed import Kept
from collect_analysis.runs.shelf import Shelf

CULL_AFTER, CULL_EVERY = 60, 20
MOST_HEADER, MOST_BODY = 16_384, 16_384
# What Voila tells a kernel about the request; the rest of the server's environment stays outside.
TOLD = ("QUERY_STRING", "SCRIPT_NAME", "PATH_INFO", "SERVER_NAME", "SERVER_PORT", "SERVER_PROTOCOL", "SERVER_SOFTWARE")
_PART = r"([a-z0-9][a-z0-9_.-]*)"
_RUN = r"([0-9A-Za-z-]+)"
_SLOT = rf"{_PART}/{_PART}/{_PART}"
_BARE_SLOT, _BARE_RUN = _SLOT.replace("(", "(?:"), _RUN.replace("(", "(?:")


class QuietKernels(AsyncMappingKernelManager):
    """Kernels of live pages: a clean environment, known to the request that started them."""

    parent: "Pages"

    async def start_kernel(  # type: ignore[override]
        self, *, env: Mapping[str, str] | None = None, **options: Any
    ) -> str:
        """Start a kernel that sees the request, the reports folder, and nothing else of the server."""
        told = {name: value for name, value in (env or {}).items() if name in TOLD}
        read = {"COLLECT_REPORTS": str(self.parent.reports), "COLLECT_AUDIENCE": self.parent.audience}
        clean = {**kept_environment(os.environ), **told, **read}
        kernel = await super().start_kernel(env=clean, **options)
        handlers.started_kernels.get([]).append(kernel)
        return kernel


class Pages(Voila):
    """The application."""

    port: int

    @classmethod
    def make(
        cls,
        *,
        reports: Path,
        notebooks: Path | None,
        address: Address,
        token: str,
        audience: str,
        open_browser: bool,
        ready: Callable[[str], None],
        clock: Callable[[], datetime],
    ) -> Self:
        """An application ready to start. No configuration file of the computer or the current folder is read."""
        made = cls(config=_config(notebooks or reports), log_level=logging.ERROR, config_file_paths=[])
        made.reports = reports.resolve()
        made.initialize([])
        made.address, made.encryption = address, address.encryption()
        made.port, made.key, made.token, made.audience = address.port, door.Key(token, audience), token, audience
        made.open_in_browser, made.ready, made.clock = open_browser, ready, clock
        made.live = handlers.live_pages(notebooks)
        made.loop = asyncio.new_event_loop()
        return made

    def run(self) -> None:
        """Serve until interrupted or terminated.

        The event loop runs in a thread of its own: executing a live page takes over the signals of the thread it runs in, and would leave
        the application deaf to being terminated.
        """
        with ThreadPoolExecutor(max_workers=1) as pool:
            serving = pool.submit(self._serve)
            try:
                serving.result()
            except KeyboardInterrupt:
                self._handle_signal_stop()
                serving.result()

    def _serve(self) -> None:
        asyncio.set_event_loop(self.loop)
        try:
            self.start()
        finally:
            self.loop.close()

    def _handle_signal_stop(self, *_: object) -> None:
        self.loop.call_soon_threadsafe(self.loop.stop)

    def setup_template_dirs(self) -> None:
        """Live pages are drawn by our own template, which runs no script."""
        self.template_paths = [str(TEMPLATES / "voila")]
        self.static_paths: list[str] = []

    def init_settings(self) -> dict[str, Any]:
        """Voila's settings, and ours beside them."""
        settings = super().init_settings()
        shelf = Shelf(self.reports, audience=self.audience)
        settings.update(
            collect_key=self.key,
            collect_shelf=shelf,
            collect_listing=Listing(shelf, clock=self.clock, live=self.live),
            collect_kept=Kept(),
            collect_live=self.live,
            collect_slots=asyncio.Semaphore(handlers.MOST_LIVE),
            collect_port=self.port,
            log_function=_log,
            autoreload=False,
            default_handler_class=door.Nothing,
        )
        return settings

    def init_handlers(self) -> list[Any]:
        """Our routes. Of Voila's own only the rendering of live pages; no files, tree, contents, kernels or sockets."""
        live = {"template_paths": self.template_paths, "config": self.config, "voila_configuration": self.voila_configuration}
        file = r"([a-z][a-z0-9_]*\.csv)"
        return [
            (r"/", handlers.Landing),
            (r"/enter", door.Enter),
            (rf"/report/{_SLOT}/", handlers.StoredPage),
            (rf"/run/{_SLOT}/{_RUN}/", handlers.StoredPage),
            (rf"/report/{_SLOT}()/tables/{file}", handlers.RecordedTable),
            (rf"/run/{_SLOT}/{_RUN}/tables/{file}", handlers.RecordedTable),
            (rf"/(report/{_BARE_SLOT}|run/{_BARE_SLOT}/{_BARE_RUN})", handlers.WithSlash),
            (r"/voila/render/pages/([a-z][a-z0-9_]*)\.ipynb", handlers.LivePage, live),
            (r".*", door.Nothing),
        ]

    def listen(self) -> None:
        """Listen, tell the link, and serve until told to stop."""
        server = HTTPServer(
            self.app, ssl_options=self.encryption, xheaders=self.address.behind_proxy, max_header_size=MOST_HEADER,
            max_body_size=MOST_BODY, idle_connection_timeout=120,
        )  # fmt: skip
        named = self.address.host
        try:
            sockets = bind_sockets(self.port, named)
        except OSError as error:
            shutil.rmtree(self.connection_dir, ignore_errors=True)
            raise WorkplaceError(f"cannot listen on {named}, port {self.port} ({error.strerror}); choose another with --port") from error
        self.port = sockets[0].getsockname()[1]
        self.app.settings["collect_port"] = self.port
        server.add_sockets(sockets)
        host = f"[{named}]" if ":" in named else named
        link = f"{self.address.scheme}://{host}:{self.port}/?token={self.token}"
        if self.open_in_browser:
            webbrowser.open(link)
        self.ready(link)
        watch = self.loop.create_task(self.app.settings["collect_listing"].watch())
        try:
            self.loop.run_forever()
        finally:
            watch.cancel()
            server.stop()
            self.stop()

    def stop(self) -> None:
        """End every kernel and forget the connection files."""
        self.loop.run_until_complete(self.kernel_manager.shutdown_all(now=True))
        shutil.rmtree(self.connection_dir, ignore_errors=True)


def _config(root: Path) -> Config:
    config = Config()
    config.Voila.root_dir = str(root.resolve())
    config.Voila.connection_dir_root = tempfile.gettempdir()
    config.Voila.identity_provider_class = door.TokenIdentity
    config.VoilaConfiguration.template = "collect"
    config.VoilaConfiguration.allow_template_override = "NO"
    config.VoilaConfiguration.allow_theme_override = "NO"
    config.VoilaConfiguration.preheat_kernel = False
    config.VoilaConfiguration.show_tracebacks = False
    config.VoilaConfiguration.file_allowlist = []
    # An exception in a cell would leave Voila waiting for a template that never ends; as an output it is seen at once.
    config.VoilaExecutor.allow_errors = True
    # The handler has its own, shorter limit; Voila's sign of life would be a script in the answer.
    config.VoilaConfiguration.http_keep_alive_timeout = 2 * handlers.LIVE_SECONDS
    config.VoilaConfiguration.multi_kernel_manager_class = QuietKernels
    config.KernelManager.transport = "ipc"
    config.QuietKernels.cull_idle_timeout = CULL_AFTER
    config.QuietKernels.cull_interval = CULL_EVERY
    config.QuietKernels.cull_connected = True
    return config


def _log(handler: web.RequestHandler) -> None:
    """One line per request: no query, as that may hold the token."""
    request = handler.request
    access_log.info("%d %s %s %.1f ms", handler.get_status(), request.method, request.path, 1000 * request.request_time())
