"""The KPI dictionary: every KPI once, as a record. Adding a ratio KPI is one record here and one worked example."""

import pandas as pd

from collect_analysis.errors import ParameterError
from collect_analysis.measures.kpis import conduct, digital, flow, funnel, money, promises, provisions, recovery, work
from collect_analysis.measures.kpis.credit import BY_ITS_TABLE, CREDIT
from collect_analysis.measures.kpis.record import Kpi, said
from collect_analysis.measures.periods import KpiWindows

_MODULES = (flow, provisions, recovery, money, funnel, promises, digital, work, conduct)
KPIS: dict[str, Kpi] = {kpi.id: kpi for module in _MODULES for kpi in module.KPIS}


def kpis(*ids: str) -> list[Kpi]:
    """The records of these KPIs, all of them if none is named.

    Raises
    ------
    ParameterError
        An id is not in the dictionary.
    """
    unknown = [name for name in ids if name not in KPIS]
    if unknown:
        raise ParameterError(f"unknown KPI {', '.join(unknown)}; the dictionary holds {', '.join(KPIS)}")
    return [KPIS[name] for name in ids] if ids else list(KPIS.values())


def counted(*ids: str) -> list[Kpi]:
    """The records of these KPIs that are ratios of sums or sums: what one pass over a fact relation serves; all of those if none is named.

    Raises
    ------
    ParameterError
        An id is not in the dictionary, or has a table of its own: the sentence names its function.
    """
    chosen = kpis(*ids)
    tables = [kpi for kpi in chosen if kpi.kind == "table"]
    if ids and tables:
        where = ", ".join(f"{kpi.id} (measures.{kpi.measure})" for kpi in tables)
        raise ParameterError(f"no ratio of sums, but a table of its own: {where}; ask table_measures.table_of for it")
    return [kpi for kpi in chosen if kpi.kind != "table"]


def dictionary(windows: KpiWindows, *, lang: str = "en", ids: tuple[str, ...] = ()) -> pd.DataFrame:
    """What does each KPI mean?

    Columns: kpi, name, formula, population, grain, numerator, denominator, unit, better, credit (to whom a number goes), windows (name = value),
    pitfalls, source, definition (id and hash), kpi_kind (ratio, total, table), computed (where: relation and columns, or function).
    """
    rows = [
        {
            "kpi": kpi.id,
            "name": kpi.name(lang),
            **{name: said(getattr(kpi, name), lang) for name in ("formula", "population", "grain", "numerator", "denominator")},
            "unit": kpi.unit,
            "better": kpi.better,
            "credit": said(CREDIT[kpi.base] if kpi.base else BY_ITS_TABLE, lang),
            "windows": ", ".join(f"{name} = {_written(getattr(windows, name))}" for name in kpi.windows),
            "pitfalls": "; ".join(said(pitfall, lang) for pitfall in (kpi.outside, *kpi.pitfalls) if pitfall[0]),
            "source": kpi.source,
            "definition": kpi.definition(windows),
            "kpi_kind": kpi.kind,
            "computed": kpi.computed,
        }
        for kpi in kpis(*ids)
    ]
    return pd.DataFrame(rows)


def _written(value: object) -> str:
    return " + ".join(str(item) for item in value) if isinstance(value, tuple) else str(value)
