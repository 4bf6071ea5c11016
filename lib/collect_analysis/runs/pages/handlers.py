"""What the application answers: the list of reports, stored pages, recorded tables, live pages."""

import asyncio
import json
from contextvars import ContextVar
from pathlib import Path
from typing import Any

from markupsafe import Markup
from tornado import web
from voila.tornado.handler import TornadoVoilaHandler

from collect_analysis.errors import CollectError
from collect_analysis.report import texts
from collect_analysis.report.texts import formats
from collect_analysis.runs import history, notebook_view
from collect_analysis.runs.page import NAVIGATION, environment
from collect_analysis.runs.pages.door import Guarded
from collect_analysis.runs.pages.links import DICTIONARY, dictionary_link, history_link, measure_link
from collect_analysis.runs.pages.listing import Listing
from collect_analysis.runs.pages.packed import Kept
from collect_analysis.runs.run_index import Published
from collect_analysis.runs.shelf import Shelf

MOST_LIVE = 4
LIVE_SECONDS = 60
# Kernels started for the request under way, so that they end with it.
started_kernels: ContextVar[list[str]] = ContextVar("started_kernels")


class Reading(Guarded):
    """What reads the shelf."""

    @property
    def shelf(self) -> Shelf:
        """The published runs."""
        return self.settings["collect_shelf"]

    def wanted(self, kind: str, name: str, slot: str, run_id: str | None = None) -> Published:
        """The run asked for, or 404."""
        run = self.shelf.find(kind, name, slot, run_id)
        if run is None:
            raise web.HTTPError(404)
        return run


class Landing(Reading):
    """Which reports there are, and what each decided."""

    async def get(self) -> None:
        """The list of published reports."""
        listing: Listing = self.settings["collect_listing"]
        (await listing.page(self.lang)).send(self)

    head = get

    def compute_etag(self) -> None:
        """Ours is set already."""


class StoredPage(Reading):
    """The page of a run as it was rendered and sealed when the run was published. No kernel, no template, no look at the numbers."""

    async def get(self, kind: str, name: str, slot: str, run_id: str | None = None) -> None:
        """The stored bytes, with the way back put in."""
        run = self.wanted(kind, name, slot, run_id)
        way = self._way(run)
        # The seal is looked at again whenever the file is another one.
        key = (run.label, run.run_id, run.state, self.shelf.page_state(run), way["newer"], way["redefined"])
        kept: Kept = self.settings["collect_kept"]
        (await asyncio.to_thread(kept.get, key, lambda: self._page(run, way))).send(self)

    head = get

    def compute_etag(self) -> None:
        """Ours is set already."""

    def _page(self, run: Published, way: dict[str, Any]) -> bytes:
        words = environment().get_template("way.html.j2").render(say=lambda word: texts.say(word, run.lang), **way)
        return self.shelf.page(run).replace(NAVIGATION.encode(), words.encode(), 1)

    def _way(self, run: Published) -> dict[str, Any]:
        live = self.settings["collect_live"]
        return {
            "newer": "" if self.shelf.is_current(run) else f"/report/{run.label}/",
            "history": history_link(run) if live else "",
            "dictionary": dictionary_link(run) if DICTIONARY in live and run.definitions else "",
            "redefined": self._redefined(run),
        }

    def _redefined(self, run: Published) -> str:
        """Which KPIs mean something else than in the published run of the slot before, as a sentence; empty where none does."""
        slot, changed = history.changed_definitions(run, self.shelf.slots(run.report, run.name))
        if not changed:
            return ""
        return texts.say("page_redefined", run.lang, slot=formats.slot(slot, run.lang), kpis=", ".join(changed))


class RecordedTable(Reading):
    """The file of a recorded table."""

    def get(self, kind: str, name: str, slot: str, run_id: str, file: str) -> None:
        """Only files that results.json and run.json both name; of the current run where the address names none."""
        run = self.wanted(kind, name, slot, run_id or None)
        content = self.shelf.table(run, f"tables/{file}")
        if content is None:
            raise web.HTTPError(404)
        self.set_header("Content-Type", "text/csv; charset=utf-8")
        self.set_header("Content-Disposition", f'attachment; filename="{file}"')
        self.finish(content)

    head = get


class WithSlash(Guarded):
    """Stored pages live at addresses that end in a slash, so that their links to tables lead below them."""

    def get(self, path: str) -> None:
        """The same address with a slash."""
        self.redirect(f"/{path}/", permanent=False)


class LivePage(Reading, TornadoVoilaHandler):
    """A live page: Voila executes a notebook that reads recorded results; we draw what it displayed, and its kernel ends at once."""

    async def prepare(self) -> None:
        """First our door, then what Voila prepares."""
        if self.let_in():
            await TornadoVoilaHandler.prepare(self)

    def write_error(self, status_code: int, **details: Any) -> None:
        """Our error page, not Jupyter's."""
        Guarded.write_error(self, status_code, **details)

    def set_default_headers(self) -> None:
        """Our headers, not Jupyter's."""
        Guarded.set_default_headers(self)

    @property
    def content_security_policy(self) -> str:
        """Voila's own handlers ask for it."""
        return str(self._headers.get("Content-Security-Policy", ""))

    async def get(self, page: str) -> None:
        """Execute the page's notebook for the choice in the query, and show it."""
        if page not in self.settings["collect_live"]:
            raise web.HTTPError(404)
        try:
            chosen = history.choice(self.request.query)
        except CollectError as error:
            raise web.HTTPError(400) from error
        slots: asyncio.Semaphore = self.settings["collect_slots"]
        if slots.locked():
            self.set_header("Retry-After", "5")
            raise web.HTTPError(503)
        async with slots:
            notebook = await self._executed(page)
        self.set_header("Content-Type", "text/html; charset=utf-8")
        self.set_header("Cache-Control", "private, no-cache")
        self.clear_header("Pragma")
        self.clear_header("Expires")
        await self.finish(self._drawn(page, notebook, chosen))

    async def _executed(self, page: str) -> dict[str, Any]:
        """The notebook with its outputs; whatever happens, its kernel ends."""
        kernels: list[str] = []
        started_kernels.set(kernels)
        try:
            async with asyncio.timeout(LIVE_SECONDS):
                body = "".join([part async for part in self.get_generator(path=f"pages/{page}.ipynb")])
            notebook = json.loads(body)
        except TimeoutError as error:
            raise web.HTTPError(504) from error
        finally:
            for kernel in kernels:
                await self.kernel_manager.shutdown_kernel(kernel, now=True)
        if any(_failed(cell) for cell in notebook["cells"]):
            raise RuntimeError(f"live page {page}: {[output for cell in notebook['cells'] for output in cell.get('outputs', [])][-1:]}")
        return notebook

    def _drawn(self, page: str, notebook: dict[str, Any], chosen: history.Choice) -> str:
        view = notebook_view.view(notebook, kind=page, lang=chosen.lang, figures=None)
        # The dictionary is about no report: it asks for none.
        of_report = page != DICTIONARY
        slots = self.shelf.slots(chosen.kind, chosen.name) if of_report else []
        measures = list(dict.fromkeys(measure for run in slots for measure in run.measures))
        say = _sayer(chosen.lang)
        way = environment().get_template("way.html.j2").render(say=say, newer="", history="", dictionary="", redefined="")
        return (
            environment()
            .get_template("live.html.j2")
            .render(
                lang=chosen.lang,
                say=say,
                view=view,
                of_report=of_report,
                navigation=Markup(way),  # noqa: S704  (our own template)
                synthetic=any(run.synthetic for run in slots),
                about=" · ".join([texts.say(f"kind_{chosen.kind}", chosen.lang), chosen.name]) if slots else "",
                report=f"/report/{slots[0].label}/" if slots else "",
                choices=[(measure_title(measure, chosen.lang), measure_link(chosen, measure)) for measure in measures],
                chosen=measure_title(chosen.measure or (measures[0] if measures else ""), chosen.lang),
            )
        )


def _failed(cell: dict[str, Any]) -> bool:
    """A code cell that did not come to its end; Voila hides the error itself, but leaves no count or an error output."""
    if cell["cell_type"] != "code" or not cell["source"].strip():
        return False
    return cell.get("execution_count") is None or any(output["output_type"] == "error" for output in cell["outputs"])


def measure_title(measure: str, lang: str) -> str:
    """A measure as read: what it is called, and its KPI."""
    name, _, kpi = measure.partition(":")
    return f"{texts.label(name, lang)} ({kpi})" if kpi else texts.label(name, lang)


def live_pages(notebooks: Path | None) -> frozenset[str]:
    """The live pages there are: the stems of `notebooks/pages/*.ipynb`."""
    return frozenset(path.stem for path in (notebooks / "pages").glob("*.ipynb")) if notebooks else frozenset()


def _sayer(lang: str):
    return lambda key, **values: texts.say(key, lang, **values)
