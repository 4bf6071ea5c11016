"""What pages of different kinds say of one thing on one day: every number that two of them tell, held against each other."""

import json
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations
from math import isclose
from pathlib import Path

import pandas as pd
from collect_analysis.measures.kpis import KPIS

# A page's own numbers have 12 significant digits.
PRECISION = 1e-9


@dataclass(frozen=True, kw_only=True)
class Told:
    """A number as one page tells it: `thing` is what it is of, the same on every page."""

    kind: str
    thing: tuple[str, ...]
    value: float


def results(reports: Path) -> Iterator[tuple[str, Path, dict]]:
    """Kind, folder and results of every published run in English (or the only language)."""
    for folder in sorted(path.resolve() for path in reports.glob("*/*/*/current")):
        body = json.loads((folder / "results.json").read_text(encoding="utf-8"))
        if body["parameters"].get("lang", "en") == "en":
            yield folder.parents[2].name, folder, body


def _period(parameters: dict) -> str:
    return f"{parameters.get('period_start', '')}--{parameters.get('period_end', parameters['as_of'])}"


def measured(reports: Path) -> list[Told]:
    """Every recorded measure that is a KPI: of which book, day and period, KPI and scope."""
    told = []
    for kind, _, body in results(reports):
        parameters = body["parameters"]
        for measure in body["measures"]:
            if measure["kpi"] and measure["value"] is not None:
                by = dict(measure["by"])
                scope = by.pop("scope_type", "unit" if "unit_key" in by else "company"), by.pop("scope_key", by.pop("unit_key", "all"))
                month = by.pop("month", _period(parameters))
                rest = (f"{key}={value}" for key, value in sorted(by.items()) if key not in ("measure", "unit_name"))
                thing = (parameters["book"], parameters["as_of"], month, measure["kpi"], measure["unit"], *scope, *rest)
                told.append(Told(kind=kind, thing=thing, value=measure["value"]))
    return told


def ids_that_are_not_the_kpi(reports: Path) -> set[str]:
    """Measures that carry the id of a KPI and another unit, or another definition than the dictionary's."""
    wrong = set()
    for kind, _, body in results(reports):
        for measure in body["measures"]:
            if measure["kpi"]:
                known = KPIS.get(measure["kpi"])
                hashed = known is not None and known.kind != "table" and not measure["by"].get("measure") and "from" not in measure["by"]
                if known is None or known.unit != measure["unit"] or (hashed and not measure["definition"]):
                    wrong.add(f"{kind} {measure['name']} {measure['kpi']} ({measure['unit']})")
    return wrong


# --- tables ----------------------------------------------------------------------------------------------------------------------------------


def _table(folders: dict[str, Path], report: str, table: str) -> pd.DataFrame:
    return pd.read_csv(folders[report] / "tables" / f"{table}.csv", dtype={"from": str, "scope_key": str})


def tabled(reports: Path) -> list[Told]:
    """Numbers that stand in tables of several kinds of the sample shop's last month, by what they are."""
    folders = {f"{kind}/{body['parameters']['name']}": folder for kind, folder, body in results(reports)}
    month, flow = "kpi_period/sample-month-en", "portfolio_flow/sample-en"
    agency, plan, targets = "agency_evaluation/quarterly-en", "placement_plan/next-quarter-en", "target_setting/next-month-en"

    def each(report: str, what: str, rows: pd.DataFrame, key: str, value: str) -> Iterator[Told]:
        kept = rows[rows[value].notna()]
        for label, number in zip(kept[key], kept[value], strict=True):
            yield Told(kind=report.split("/")[0], thing=(what, str(label)), value=float(number))

    told: list[Told] = []
    buckets, rates = _table(folders, month, "flow_by_bucket"), _table(folders, flow, "last_month")
    for kpi in ("F1", "F5"):
        told += each(month, f"{kpi} of bucket", buckets[buckets["kpi"] == kpi], "scope_key", "value")
        told += each(flow, f"{kpi} of bucket", rates[rates["kpi"] == kpi], "from", "value")
    scopes, room, inventory = _table(folders, targets, "scopes"), _table(folders, plan, "room"), _table(folders, agency, "inventory")
    told += each(agency, "accounts held", inventory, "unit_key", "open_accounts")
    told += each(plan, "accounts held", room, "unit_key", "held")
    told += each(targets, "accounts held", scopes[scopes["scope_type"] == "unit"], "scope_key", "accounts")
    for column in ("share_now", "share_next"):
        for report in (agency, plan):
            told += each(report, column, _table(folders, report, "shares"), "unit_key", column)
    for report in (agency, plan):
        first = _table(folders, report, "index_by_number")
        told += each(report, "index of first placements", first[first["placement"] == first["placement"].min()], "unit_key", "value")
    return told


def compared(told: list[Told]) -> list[tuple[Told, Told]]:
    """Every two pages of different kinds that tell one thing."""
    by_thing: dict[tuple[str, ...], list[Told]] = defaultdict(list)
    for item in told:
        by_thing[item.thing].append(item)
    return [pair for items in by_thing.values() for pair in combinations(items, 2) if pair[0].kind != pair[1].kind]


def apart(pairs: list[tuple[Told, Told]]) -> list[str]:
    """The pairs that do not agree."""
    return [
        f"{' '.join(one.thing)}: {one.kind} {one.value!r}, {other.kind} {other.value!r}"
        for one, other in pairs
        if not isclose(one.value, other.value, rel_tol=PRECISION, abs_tol=1e-12)
    ]
