"""The report kinds, found by their folders: `<subject>/<kind>/parameters.py` with a class named as the kind (`agency_evaluation`: AgencyEvaluation).

There is no list of them: a folder makes a kind, and deleting it takes the kind away.
"""

from collections.abc import Iterator, Mapping
from functools import cached_property
from importlib import import_module
from pathlib import Path
from typing import Any

import collect_analysis
from collect_analysis.errors import RunError
from collect_analysis.report.parameters import ReportParameters, validate

LIBRARY = Path(collect_analysis.__file__).parent
PARAMETERS = "parameters.py"


class Kinds(Mapping[str, type[ReportParameters]]):
    """Kind -> the class of its parameters, imported when asked for; in the order of subjects and names."""

    @cached_property
    def folders(self) -> dict[str, Path]:
        """Kind -> its folder."""
        return {place.parent.name: place.parent for place in sorted(LIBRARY.glob(f"*/*/{PARAMETERS}"))}

    def __getitem__(self, kind: str) -> type[ReportParameters]:
        folder = self.folders[kind]
        model = getattr(import_module(f"{LIBRARY.name}.{folder.parent.name}.{kind}.parameters"), class_name(kind), None)
        if model is None or model.kind != kind:
            raise RunError(f'{folder / PARAMETERS}: define `class {class_name(kind)}(ReportParameters)` with `kind = "{kind}"` in it')
        return model

    def __iter__(self) -> Iterator[str]:
        return iter(self.folders)

    def __len__(self) -> int:
        return len(self.folders)

    def __contains__(self, kind: object) -> bool:
        return kind in self.folders


KINDS = Kinds()


def class_name(kind: str) -> str:
    """The class of a kind's parameters: `kpi_period`: KpiPeriod."""
    return "".join(part.capitalize() for part in kind.split("_"))


def from_notebook(kind: str, namespace: Mapping[str, Any]) -> Any:
    """The parameters of report `kind` from a notebook's variables (pass `globals()`), the same typed, validated object as in a scheduled run.

    Raises
    ------
    ParameterError
        Every wrong parameter.
    """
    model = KINDS[kind]
    values = {field: namespace[field] for field in model.model_fields if field in namespace}
    return validate(model, values, where=f"notebook {kind}")
