"""The KPI dictionary: every KPI once, as a record. Adding a ratio KPI is one record here and one worked example."""

import pandas as pd

from collect_analysis.errors import ParameterError
from collect_analysis.measures.kpis import flow, funnel, recovery, work
from collect_analysis.measures.kpis.record import Kpi
from collect_analysis.measures.periods import KpiWindows

KPIS: dict[str, Kpi] = {kpi.id: kpi for module in (flow, recovery, funnel, work) for kpi in module.KPIS}


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


def dictionary(windows: KpiWindows, *, lang: str = "en", ids: tuple[str, ...] = ()) -> pd.DataFrame:
    """What does each KPI mean?

    Columns: kpi, name, formula, population, numerator, denominator, unit, better, windows (name = value), pitfalls, source, definition.
    """
    rows = [
        {
            "kpi": kpi.id,
            "name": kpi.name(lang),
            "formula": kpi.formula_vi if lang == "vi" else kpi.formula,
            "population": kpi.population,
            "grain": kpi.grain,
            "numerator": kpi.numerator,
            "denominator": kpi.denominator,
            "unit": kpi.unit,
            "better": kpi.better,
            "windows": ", ".join(f"{name} = {_written(getattr(windows, name))}" for name in kpi.windows),
            "pitfalls": "; ".join(kpi.pitfalls),
            "source": kpi.source,
            "definition": kpi.definition(windows),
        }
        for kpi in kpis(*ids)
    ]
    return pd.DataFrame(rows)


def _written(value: object) -> str:
    return " + ".join(str(item) for item in value) if isinstance(value, tuple) else str(value)
