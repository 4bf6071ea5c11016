"""The list of reports: which there are, and what each decided."""

import asyncio
import math
import time
from collections.abc import Callable
from datetime import datetime
from typing import Any

from tornado.log import app_log

from collect_analysis.report import statements, texts
from collect_analysis.report.texts import formats
from collect_analysis.runs.page import environment
from collect_analysis.runs.pages.links import history_link
from collect_analysis.runs.pages.packed import Packed
from collect_analysis.runs.run_index import Key, Published
from collect_analysis.runs.shelf import MANAGERS, Shelf, by_report

# A walk through so few slots, or one that takes no longer than this, is made at every view; a longer one may take this share of the time.
# Few slots are counted and not timed: on a busy machine any walk is long, and what changed must not be shown late because of it.
FEW_SLOTS = 100
CHEAP_SECONDS = 0.005
MOST_SHARE = 0.02


class Listing:
    """The list in every language, written anew only when something changed.

    A small folder is looked through at every view. A large one is looked through every few seconds beside the views, and at once when the
    index says that a run was published. Either way in a thread of its own, once for all who ask meanwhile.
    """

    def __init__(self, shelf: Shelf, *, clock: Callable[[], datetime], live: frozenset[str]) -> None:
        self._shelf = shelf
        self._clock = clock
        self._live = live
        self._walk: asyncio.Task[None] | None = None
        self._took, self._next_walk = 0.0, -math.inf
        self._runs: dict[Key, Published] = {}
        self._index: object = None
        self._written: dict[str, tuple[dict[Key, Published], str, Packed]] = {}
        self._told: set[str] = set()

    async def page(self, lang: str) -> Packed:
        """The list as it is now."""
        if time.monotonic() >= self._next_walk or self._shelf.index_state() != self._index:
            await self._walk_once()
        now = self._clock()
        day = now.date().isoformat()
        before = self._written.get(lang)
        if before and before[0] is self._runs and before[1] == day:
            return before[2]
        runs = self._runs
        packed = await asyncio.to_thread(lambda: Packed.of(self._html(runs, lang, now).encode()))
        self._written[lang] = (runs, day, packed)
        return packed

    async def watch(self) -> None:
        """Look through a large folder before a view has to wait for it, for ever."""
        while True:
            await self._walk_once()
            while (left := self._next_walk - self._took - time.monotonic()) > 0 or self._took <= CHEAP_SECONDS:
                await asyncio.sleep(max(left, 1))

    async def _walk_once(self) -> None:
        if self._walk is None:
            self._walk = asyncio.create_task(asyncio.to_thread(self._look))
            self._walk.add_done_callback(lambda _: setattr(self, "_walk", None))
        await asyncio.shield(self._walk)

    def _look(self) -> None:
        begun = time.monotonic()
        self._index = self._shelf.index_state()
        self._runs = self._shelf.listing()
        self._took = time.monotonic() - begun if self._shelf.walked > FEW_SLOTS else 0.0
        self._next_walk = time.monotonic() + (self._took / MOST_SHARE if self._took > CHEAP_SECONDS else 0)

    def _html(self, runs: dict[Key, Published], lang: str, now: datetime) -> str:
        kinds = []
        for kind, reports in by_report(runs):
            # Reports in the reader's language first.
            reports.sort(key=lambda slots: slots[0].lang != lang)
            kinds.append((texts.say(f"kind_{kind}", lang), [self._entry(slots, now, lang) for slots in reports]))
        return (
            environment()
            .get_template("landing.html.j2")
            .render(
                lang=lang,
                say=lambda key, **values: texts.say(key, lang, **values),
                kinds=kinds,
                languages=texts.LANGUAGES,
                for_team_leads=self._shelf.audience != MANAGERS,
            )
        )

    def _entry(self, slots: list[Published], now: datetime, lang: str) -> dict[str, Any]:
        run = slots[0]
        entry: dict[str, Any] = {
            "name": run.name,
            "slot": formats.slot(run.slot, lang),
            "damaged": self._damage(run, lang),
            "older": [(formats.slot(other.slot, lang), f"/report/{other.label}/", self._damage(other, lang)) for other in slots[1:]],
        }
        if run.damaged:
            return entry
        return {
            **entry,
            "link": f"/report/{run.label}/",
            "answer": run.answer,
            "answer_lang": run.lang,
            "grade": statements.standing(run.statement, run.grade, missing=run.missing),
            "grade_title": statements.title(run.statement, run.grade, lang, missing=run.missing),
            "as_of": formats.day(run.as_of, lang),
            "age": _age(run.finished, now, lang),
            "synthetic": run.synthetic,
            "blocked": run.not_for_decision,
            "language": texts.value("lang", run.lang, lang),
            "history": history_link(run) if self._live else "",
        }

    def _damage(self, run: Published, lang: str) -> str:
        """Which file of a run is not what was published, as a sentence; the log says how, once."""
        if not run.damaged:
            return ""
        if run.damaged not in self._told:
            self._told.add(run.damaged)
            app_log.error("damaged run %s/%s: %s", run.label, run.run_id, run.damaged)
        return texts.say("page_damaged", lang, file=run.damaged.partition(" ")[0])


def _age(finished: str, now: datetime, lang: str) -> str:
    days = (now.date() - datetime.fromisoformat(finished).date()).days
    return texts.say("age_today" if days <= 0 else "age_yesterday" if days == 1 else "age_days", lang, days=days)
