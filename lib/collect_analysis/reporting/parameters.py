"""Parameters as a notebook takes them: the same typed, validated object as in a scheduled run."""

from collections.abc import Mapping
from typing import Any

from collect_analysis.reporting.kinds import KINDS
from collect_analysis.reporting.typed_parameters import ReportParameters, validate

__all__ = ["ReportParameters", "from_notebook", "validate"]


def from_notebook(kind: str, namespace: Mapping[str, Any]) -> Any:
    """The parameters of report `kind` from a notebook's variables (pass `globals()`), validated as in a scheduled run.

    Raises
    ------
    ParameterError
        Every wrong parameter.
    """
    model = KINDS[kind]
    values = {field: namespace[field] for field in model.model_fields if field in namespace}
    return validate(model, values, where=f"notebook {kind}")
