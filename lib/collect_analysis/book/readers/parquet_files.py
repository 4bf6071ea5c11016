"""Parquet files: typed cells, handed on as the text the contract reads; only the declared columns are read."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet

from collect_analysis.book.readers.cells import Cells, TextColumn, text_column
from collect_analysis.book.readers.files import held_still
from collect_analysis.book.readers.headers import header_problems
from collect_analysis.book.source_format import ParquetFormat
from collect_analysis.errors import DataError


def read_parquet_file(path: Path, name: str, form: ParquetFormat, wanted: Sequence[str]) -> Cells:
    """The cells of a Parquet file; `name` is how messages call it, `wanted` the columns it must have.

    Raises
    ------
    DataError
        Damaged or truncated, changed while read, a wanted column absent or nested, a column not of the type `types` declares.
    """
    with held_still(path, name, max_mb=form.max_mb) as file:
        try:
            whole = pyarrow.parquet.ParquetFile(file.handle)
            problems = header_problems(name, whole.schema_arrow.names, wanted)
            problems += type_problems(name, {field.name: str(field.type) for field in whole.schema_arrow}, form.types)
            problems += [
                f"{name}: column '{field.name}' is nested ({field.type}); deliver it flat"
                for field in whole.schema_arrow
                if field.name in wanted and pa.types.is_nested(field.type)
            ]
            if problems:
                raise DataError(problems)
            table = whole.read(columns=list(wanted))
        except (pa.ArrowException, OSError) as error:
            first = (str(error).splitlines() or ["no reason given"])[0]
            raise DataError(f"{name}: cannot be read as Parquet ({first}); the file is damaged or cut off, deliver it again") from None
        columns = {field.name: _column(table[field.name]) for field in table.schema}
        return Cells(columns, np.arange(1, table.num_rows + 1), name, file.content_hash)


def type_problems(where: str, found: Mapping[str, str], declared: Mapping[str, str]) -> list[str]:
    """Columns that are not of the type the mapping declares: a column that changed its type means something else."""
    return [
        f"{where}: column '{name}' is {found[name]}, and {wanted} is declared; correct `types`, or the delivery"
        if name in found
        else f"{where}: there is no column '{name}', which `types` declares; deliver it, or remove it there"
        for name, wanted in declared.items()
        if found.get(name) != wanted
    ]


def _column(cells: pa.ChunkedArray) -> TextColumn:
    kind = cells.type.value_type if pa.types.is_dictionary(cells.type) else cells.type
    plain = cells.cast(kind) if pa.types.is_dictionary(cells.type) else cells
    if pa.types.is_string(kind) or pa.types.is_large_string(kind):
        return text_column(plain.cast(pa.string()))
    if pa.types.is_timestamp(kind):
        zoned = kind.tz is not None
        moments = plain.cast(pa.timestamp("us", kind.tz))
        moments = moments.cast(pa.timestamp("us", "UTC")) if zoned else moments
        texts = pc.strftime(moments, format="%Y-%m-%d %H:%M:%S")
        return text_column(pc.binary_join_element_wise(texts, "Z", "") if zoned else texts, native=True, type_name=str(kind))
    if pa.types.is_boolean(kind) or pa.types.is_null(kind):
        return text_column(plain.cast(pa.string()), native=True, type_name=str(kind))
    return text_column(plain.cast(pa.string()), native=True, type_name=str(kind))
