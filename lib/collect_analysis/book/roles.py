"""What the open columns of a book mean: merged from the mappings of its sources, refused where two disagree."""

from collections.abc import Iterable

from collect_analysis.book.schema import Table
from collect_analysis.book.source_format import Source
from collect_analysis.book.tables import TABLES
from collect_analysis.errors import DataError

Roles = dict[str, dict[str, object]]


def declared_roles(source: Source) -> Roles:
    """`table.column` -> what the mapping declares: kind, horizon_days, measured, label; the experiment where there is one; the sources."""
    found: Roles = {}
    for name, mapping in source.tables.items():
        experiment = mapping.columns["experiment_id"].value if "experiment_id" in mapping.columns else None
        for key, role in {**_components(name, TABLES[name], mapping.rules.keys()), **mapping.roles(name)}.items():
            found[key] = {**role, **({"experiment": experiment} if experiment else {}), "sources": [source.source]}
    return found


def _components(name: str, table: Table, columns: Iterable[str]) -> Roles:
    return {f"{name}.{column}": {"kind": "money"} for column in columns if column.endswith("_minor") and column not in table.column_names}


def merged_roles(roles: Roles, source: Source) -> Roles:
    """The roles of a book after a source was loaded; a role that several sources give keeps no single experiment.

    Raises
    ------
    DataError
        Another source of the book declares the same column to be something else.
    """
    merged: Roles = {}
    for key, role in roles.items():
        others = [name for name in _sources(role) if name != source.source]
        if others or "sources" not in role:
            merged[key] = {**role, "sources": others} if others else role
    problems = []
    for key, role in declared_roles(source).items():
        if key not in merged:
            merged[key] = role
            continue
        there = merged[key]
        if _meaning(there) != _meaning(role):
            problems.append(
                f"source {source.source}: {key} is declared {_meaning(role)}, and {', '.join(_sources(there))} of this book {_meaning(there)}; "
                "give one of the two another name"
            )
        both = {**role, "sources": sorted({*_sources(there), source.source})}
        if there.get("experiment") != role.get("experiment"):
            both.pop("experiment", None)
        merged[key] = both
    if problems:
        raise DataError(problems)
    return merged


def _sources(role: dict[str, object]) -> list[str]:
    found = role.get("sources", [])
    return [str(name) for name in found] if isinstance(found, list) else []


def _meaning(role: dict[str, object]) -> dict[str, object]:
    return {key: value for key, value in role.items() if key not in ("experiment", "sources", "label")}
