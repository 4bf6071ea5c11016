"""The report kinds, found by their folders: `<subject>/<kind>/parameters.py` with a class named as the kind (`agency_evaluation`: AgencyEvaluation).

There is no list of them: a folder makes a kind, and deleting it takes the kind away. Kinds of an analyst's own lie in the folder that `COLLECT_KINDS`
names, each with its notebook and its report files beside its modules; they are imported as `collect_analysis.own.<kind>`.
"""

from collections.abc import Iterator, Mapping
from functools import cached_property
from importlib import import_module
from pathlib import Path
from typing import Any

import collect_analysis
from collect_analysis import own
from collect_analysis.errors import ParameterError, RunError
from collect_analysis.report.parameters import ReportParameters, validate

LIBRARY = Path(collect_analysis.__file__).parent
PARAMETERS = "parameters.py"


class Kinds(Mapping[str, type[ReportParameters]]):
    """Kind -> the class of its parameters, imported when asked for; in the order of subjects and names."""

    @cached_property
    def folders(self) -> dict[str, Path]:
        """Kind -> its folder.

        Raises
        ------
        ParameterError
            `COLLECT_KINDS` names no folder, or a kind in it is called as one of the library.
        """
        found = {place.parent.name: place.parent for place in sorted(LIBRARY.glob(f"*/*/{PARAMETERS}"))}
        for folder in map(Path, own.__path__):
            if not folder.is_dir():
                raise ParameterError(f"COLLECT_KINDS: there is no folder {folder}; make it, or take the setting away")
            more = {place.parent.name: place.parent for place in sorted(folder.glob(f"*/{PARAMETERS}"))}
            if twice := sorted(found.keys() & more.keys()):
                raise ParameterError(
                    f"COLLECT_KINDS: {', '.join(twice)}: the library has a kind of this name; give the folder and its class another"
                )
            found |= more
        return found

    def notebook(self, kind: str, notebooks: Path) -> Path:
        """The notebook of a kind: in `notebooks`, or beside the modules of a kind of an analyst's own."""
        folder = self.folders[kind]
        return (notebooks if folder.is_relative_to(LIBRARY) else folder) / f"{kind}.ipynb"

    def __getitem__(self, kind: str) -> type[ReportParameters]:
        folder = self.folders[kind]
        room = folder.parent.name if folder.is_relative_to(LIBRARY) else "own"
        model = getattr(import_module(f"{LIBRARY.name}.{room}.{kind}.parameters"), class_name(kind), None)
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
