"""The report kinds: one module each, named as its notebook."""

from collections.abc import Mapping
from typing import Any

from collect_analysis.reporting.kinds.agency_evaluation import AgencyEvaluation
from collect_analysis.reporting.kinds.kpi_period import KpiPeriod
from collect_analysis.reporting.kinds.strategy_review import StrategyReview
from collect_analysis.reporting.parameters import ReportParameters, validate

KINDS: dict[str, type[ReportParameters]] = {model.kind: model for model in (StrategyReview, KpiPeriod, AgencyEvaluation)}


def from_notebook(kind: str, namespace: Mapping[str, Any]) -> Any:
    """The parameters of report `kind` from a notebook's variables (pass `globals()`), validated as in a scheduled run."""
    model = KINDS[kind]
    values = {field: namespace[field] for field in model.model_fields if field in namespace}
    return validate(model, values, where=f"notebook {kind}")
