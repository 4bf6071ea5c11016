"""The page of one run: one self-contained file that needs no script, no network and no kernel.

First screen: what is asked, what is answered, how sure we are, on what data. Then the findings, the checks, how it was made.
"""

import json
import os
import re
from collections.abc import Collection, Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import jinja2
import pandas as pd
from markupsafe import Markup

from collect_analysis.report import statements, tables, texts
from collect_analysis.report.kinds import KINDS
from collect_analysis.report.texts import formats
from collect_analysis.runs import notebook_view

TEMPLATES = Path(__file__).parent / "templates"
# The application puts its way back here; in a file opened from disk there is none.
NAVIGATION = "<!--collect:navigation-->"
# No script, no network, nothing but our own style and images inside the page.
POLICY = "default-src 'none'; img-src 'self' data:; style-src 'unsafe-inline'; form-action 'self'; base-uri 'none'"
_SHARES = ("share", "rate", "probability", "propensity", "weight", "reach", "luck")
_SHORT = 12
_PERCENT = re.compile(r"(?<=\d) %")


def render_page(run_folder: Path, run: Mapping[str, Any]) -> None:
    """Write `page.html` into a run folder from its results.json, its executed notebook, and `run` (the content of run.json)."""
    results = json.loads((run_folder / "results.json").read_text(encoding="utf-8"))
    notebook = json.loads((run_folder / "notebook.ipynb").read_text(encoding="utf-8"))
    text = page_html(run_folder, run, results, notebook)
    temporary = run_folder / "page.tmp"
    temporary.write_text(text, encoding="utf-8")
    os.replace(temporary, run_folder / "page.html")


def page_html(run_folder: Path, run: Mapping[str, Any], results: Mapping[str, Any], notebook: Mapping[str, Any]) -> str:
    """The page as text."""
    lang = run["parameters"].get("lang", "en")
    figures = {name: run_folder / file for name, file in results["figures"].items()}
    view = notebook_view.view(notebook, kind=run["report"], lang=lang, figures=figures, design=str(run["parameters"].get("design", "")))
    money = KINDS[run["report"]].money_among(run["parameters"]) if run["report"] in KINDS else frozenset()
    writer = _Writer(lang, run["inputs"]["currency"], run["report"], money=money)
    kind = texts.say(f"kind_{run['report']}", lang)
    return (
        environment()
        .get_template("page.html.j2")
        .render(
            lang=lang,
            say=_sayer(lang),
            navigation=Markup(NAVIGATION),  # noqa: S704  (a constant)
            synthetic=run["inputs"]["synthetic"],
            kind=kind,
            title=view.title or kind,
            name=run["name"],
            slot=formats.slot(run["slot"], lang),
            as_of=formats.day(run["inputs"]["as_of"], lang),
            view=view,
            decision=decision_of(results, writer),
            blocked=[check for check in writer.checks(results["checks"]) if check["blocked"]],
            watermark=watermark(run, lang),
            checks=writer.checks(results["checks"]),
            parameters=writer.items(run["parameters"]),
            made=made(run, writer),
            files=[(table_name(run["report"], name, lang), file) for name, file in results["tables"].items()],
        )
    )


@cache
def environment() -> jinja2.Environment:
    """The templates of every page: everything escaped, an unknown name is an error, the style sheet inside the page."""
    made = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES), autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True,
        finalize=_unbroken,
    )  # fmt: skip
    made.globals["policy"] = POLICY
    made.globals["style"] = Markup((TEMPLATES / "style.css").read_text(encoding="utf-8"))  # noqa: S704  (our own file)
    return made


def _unbroken(shown: Any) -> Any:
    """A text whose percent signs stay on the line of their number."""
    return _PERCENT.sub("\u00a0%", shown) if isinstance(shown, str) and not isinstance(shown, Markup) else shown


def _sayer(lang: str):
    return lambda key, **values: texts.say(key, lang, **values)


def table_name(kind: str, name: str, lang: str) -> str:
    """What a recorded table is called: the entry `name` under `values: table_<kind>`, else what a column of that name is called."""
    return texts.own(f"table_{kind}", name, lang) or texts.label(name, lang)


def decision_of(results: Mapping[str, Any], writer: "_Writer") -> dict[str, Any]:
    """The decision box: what is asked, answered, how sure, what follows."""
    decision = results["decision"]
    lang, counts = writer.lang, statements.statement_of(writer.kind) == "count"
    return {
        "question": decision["question"],
        "answer": decision["answer"],
        "confidence": texts.phrase(decision["confidence"], lang),
        **statements.box(decision, writer.kind, lang),
        # What a count lacks stands above already.
        "caveats": [
            texts.phrase(caveat, lang) for caveat in decision["caveats"] if not counts or caveat not in decision.get("missing", [])
        ],
        "forecast": writer.items(decision["forecast"]),
        "action": writer.items(decision["action"]),
    }


def watermark(run: Mapping[str, Any], lang: str) -> list[tuple[str, str]]:
    """On what the page stands: day, data, run, code, currency."""
    inputs, code = run["inputs"], run["code"]
    version = " ".join([code["version"], *([code["commit"][:_SHORT]] if code.get("commit") else [])])
    rows = texts.say("rows_read", lang, rows=formats.number(sum(inputs["rows"].values()), lang))
    data = ", ".join([inputs["book"], rows, texts.say("fingerprint", lang, short=inputs["fingerprint"][:_SHORT])])
    return [
        (texts.say("page_as_of", lang), formats.day(inputs["as_of"], lang)),
        (texts.say("page_book", lang), data),
        (texts.say("page_currency", lang), texts.value("currency", inputs["currency"], lang)),
        (texts.say("page_run", lang), run["run_id"]),
        (texts.say("code_version", lang), texts.say("code_dirty", lang, version=version) if code.get("dirty") else version),
    ]


def made(run: Mapping[str, Any], writer: "_Writer") -> list[tuple[str, list[tuple[str, str]]]]:
    """The groups of "how this was made" beside the parameters: data read, policies, versions."""
    lang = writer.lang
    rows = [(table, texts.say("rows_read", lang, rows=formats.number(count, lang))) for table, count in run["inputs"]["rows"].items()]
    inputs = [(texts.label("book", lang), f"{run['inputs']['book']} ({run['inputs']['fingerprint']})"), *rows]
    policy = [(name, content[:_SHORT]) for name, content in run.get("policy", {}).items()]
    code = run["code"]
    versions = [("collect-analysis", code["version"]), *run.get("packages", {}).items()]
    commit = [(texts.say("page_commit", lang), code["commit"])] if code.get("commit") else []
    notebook = [(texts.say("page_notebook", lang), run["notebook_sha256"][:_SHORT])]
    finished = [(texts.say("page_finished", lang), formats.day(run["finished"], lang))] if run.get("finished") else []
    groups = [("page_inputs", inputs), ("page_policy", policy), ("page_versions", [*finished, *notebook, *commit, *versions])]
    return [(texts.say(key, lang), items) for key, items in groups if items]


class _Writer:
    """Writes the recorded values of one page in its language; entries named in `money` are money as those that end in `_minor`."""

    def __init__(self, lang: str, currency: str, kind: str = "", *, money: Collection[str] = ()) -> None:
        self.lang, self.currency, self.kind, self.money = lang, currency, kind, money

    def label(self, key: str) -> str:
        """What an entry is called: as its kind calls the parameter (`values: parameter_<kind>`), else as a column of that name."""
        return texts.own(f"parameter_{self.kind}", key, self.lang) or texts.label(key, self.lang)

    def checks(self, checks: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
        """The checks, failed ones first."""
        written = [
            {
                "name": texts.phrase(texts.value("check", check["name"], self.lang), self.lang),
                "detail": texts.phrase(check["detail"], self.lang),
                "passed": check["passed"],
                "blocked": check["blocking"] and not check["passed"],
                "state": "check_passed" if check["passed"] else "check_blocking" if check["blocking"] else "check_failed",
            }
            for check in checks
        ]
        return sorted(written, key=lambda check: (check["passed"], not check["blocked"]))

    def items(self, content: Mapping[str, Any]) -> list[tuple[str, str | Markup]]:
        """The entries of a dictionary as label and text; `value`, `low`, `high`, their level and `unit` together are one entry."""
        rest = dict(content)
        unit = rest.pop("unit", None) if "value" in rest else None
        if unit is not None:
            shown = {key: formats.with_unit(rest.get(key), unit, self.lang, currency=self.currency) for key in ("value", "low", "high")}
            known = rest.get("low") is not None and rest.get("high") is not None
            rest["value"] = f"{shown['value']} ({self._band(rest)}{shown['low']} … {shown['high']})" if known else shown["value"]
            rest.pop("low", None)
            rest.pop("high", None)
        return [(self.label(key), self.text(key, item)) for key, item in rest.items() if item not in ({}, "")]

    def _band(self, rest: dict[str, Any]) -> str:
        """What stands between `low` and `high`, with its level, which `rest` then has no more; empty where no level was recorded."""
        levels = [rest.pop(name) for name in ("interval_share", "level") if isinstance(rest.get(name), float)]
        key = "band_of" if statements.statement_of(self.kind) == "forecast" else "interval_of_level"
        return f"{texts.say(key, self.lang, band=texts.percent(levels[0], self.lang))}: " if levels else ""

    def text(self, key: str, item: Any) -> str | Markup:
        """One recorded value as text; a list of records becomes a table, a dictionary a list."""
        if isinstance(item, list) and item and all(isinstance(entry, dict) for entry in item):
            return self._table(item)
        if isinstance(item, list):
            parts = [str(self.text(key, entry)) for entry in item]
            # Entries of several words are told apart by more than a comma.
            return ("; " if any(len(part) > _SHORT * 2 for part in parts) else ", ").join(parts) or texts.say("page_all", self.lang)
        if isinstance(item, dict):
            pairs = Markup("").join(Markup("<li>{}: {}</li>").format(label, text) for label, text in self.items(item))
            return Markup("<ul>{}</ul>").format(pairs)
        if item is None:
            return formats.UNDEFINED
        if isinstance(item, bool):
            return texts.say("yes" if item else "no", self.lang)
        if isinstance(item, (int, float)):
            return self._number(key, item)
        # Most texts of a report file are names of the data; its choices have an entry.
        places = (key, f"code_{self.kind}", "covariate", "outcome", "arm")
        named = next((word for place in places if (word := texts.own(place, item, self.lang))), item)
        return formats.any_day(named, self.lang)

    def _number(self, key: str, item: float) -> str:
        if key.endswith("_minor") or key in self.money:
            return formats.money(item, self.currency, self.lang)
        # A weight may also be given in points of a hundred.
        if _is_share(key) and not (key == "weight" and item > 1):
            return formats.share(item, self.lang)
        if key == "seed":
            return str(item)
        digits = 0 if float(item).is_integer() else formats.digits_for([item], 3)
        return formats.number(item, self.lang, digits=digits)

    def _table(self, records: list[dict[str, Any]]) -> Markup:
        frame = pd.DataFrame(
            [{key: self.text(key, item) if isinstance(item, str) else item for key, item in record.items()} for record in records]
        )
        shares = [name for name in frame.columns if _is_share(str(name))]
        own = {str(name): texts.own(f"parameter_{self.kind}", str(name), self.lang) for name in frame.columns}
        called = {name: word for name, word in own.items() if word}
        shown = tables.show(frame, lang=self.lang, currency=self.currency, percent=shares, called=called)
        return Markup(tables.html_of(shown.as_data()))  # noqa: S704  (escapes every cell)


def _is_share(key: str) -> bool:
    return key == "level" or key.split("_")[-1] in _SHARES or key.split("_")[0] in _SHARES
