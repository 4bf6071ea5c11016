"""Parquet files: typed cells, handed on as the text the contract reads; only the declared columns are read."""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet

from collect_analysis.book.readers.cells import Cells, TextColumn, hours_minutes_seconds, text_column
from collect_analysis.book.readers.files import held_still
from collect_analysis.book.readers.headers import composed, header_problems
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
            spelled = dict(zip(composed(whole.schema_arrow.names), whole.schema_arrow.names, strict=True))
            problems = header_problems(name, composed(whole.schema_arrow.names), wanted)
            problems += type_problems(name, {field.name: str(field.type) for field in whole.schema_arrow}, form.types)
            problems += [
                f"{name}: column '{field.name}' is nested ({field.type}); deliver it flat"
                for field in whole.schema_arrow
                if composed([field.name])[0] in wanted and pa.types.is_nested(field.type)
            ]
            if problems:
                raise DataError(problems)
            table = whole.read(columns=[spelled[column] for column in wanted])
        except (pa.ArrowException, OSError) as error:
            first = (str(error).splitlines() or ["no reason given"])[0]
            raise DataError(f"{name}: cannot be read as Parquet ({first}); the file is damaged or cut off, deliver it again") from None
        columns = {column: _column(name, column, table[spelled[column]]) for column in wanted}
        return Cells(columns, np.arange(1, table.num_rows + 1), name, file.content_hash, header=tuple(spelled))


def type_problems(where: str, found: Mapping[str, str], declared: Mapping[str, str]) -> list[str]:
    """Columns that are not of the type the mapping declares: a column that changed its type means something else."""
    return [
        f"{where}: column '{name}' is {found[name]}, and {wanted} is declared; correct `types`, or the delivery"
        if name in found
        else f"{where}: there is no column '{name}', which `types` declares; deliver it, or remove it there"
        for name, wanted in declared.items()
        if found.get(name) != wanted
    ]


def _column(name: str, field: str, cells: pa.ChunkedArray) -> TextColumn:
    """A column as text: strings and bytes that are UTF-8 as they are, everything else as the contract reads typed cells."""
    kind = cells.type.value_type if pa.types.is_dictionary(cells.type) else cells.type
    plain = cells.cast(kind) if pa.types.is_dictionary(cells.type) else cells
    if kind in _STRINGS or _is_bytes(kind):
        return text_column(_strings(name, field, plain))
    if pa.types.is_timestamp(kind):
        texts = _moments(plain, kind)
    elif pa.types.is_duration(kind):
        texts = pa.chunked_array([_durations(plain, kind)])
    elif pa.types.is_floating(kind):
        texts = pa.chunked_array([_without_exponent(plain)])
    else:
        texts = plain.cast(pa.string())
    return text_column(texts, native=True, type_name=str(kind))


# Beyond, a number is no amount and may keep its exponent.
MOST_ZEROS = 30
_STRINGS = (pa.string(), pa.large_string(), pa.string_view())
# Units of Arrow's moments and durations: how many make a second, the longest count that is a year of four digits.
_PER_SECOND = {"s": 1, "ms": 1_000, "us": 1_000_000, "ns": 1_000_000_000}
_LAST_SECOND = 253_402_300_799  # 9999-12-31 23:59:59
_FIRST_SECOND = -62_135_596_800  # 0001-01-01 00:00:00


def _is_bytes(kind: pa.DataType) -> bool:
    """Many programs write texts as bytes without saying so."""
    return pa.types.is_binary(kind) or pa.types.is_large_binary(kind) or pa.types.is_fixed_size_binary(kind) or kind == pa.binary_view()


def _strings(name: str, field: str, cells: pa.ChunkedArray) -> pa.ChunkedArray:
    try:
        texts = cells.cast(pa.binary()).cast(pa.string()) if cells.type != pa.string() else cells
        texts.validate(full=True)
    except pa.ArrowInvalid:
        raise DataError(f"{name}: column '{field}' ({cells.type}) holds bytes that are no UTF-8 text; deliver it as text") from None
    return texts


def _moments(cells: pa.ChunkedArray, kind: pa.TimestampType) -> pa.ChunkedArray:
    """Moments in UTC, or without zone; a count that no calendar has stays a count, which the contract sets aside."""
    counts = cells.cast(pa.int64())
    seconds = pc.divide(counts, _PER_SECOND[kind.unit])
    known = pc.and_(pc.greater(seconds, _FIRST_SECOND), pc.less_equal(seconds, _LAST_SECOND))
    plain = pc.if_else(known, counts, pa.scalar(None, pa.int64())).cast(pa.timestamp(kind.unit))
    texts = pc.strftime(plain, format="%Y-%m-%d %H:%M:%S")
    texts = texts if kind.tz is None else pc.binary_join_element_wise(texts, "Z", "")
    return pc.if_else(pc.fill_null(known, True), texts, counts.cast(pa.string()))


def _durations(cells: pa.ChunkedArray, kind: pa.DurationType) -> pa.Array:
    """Durations as hours, minutes and seconds."""
    per = _PER_SECOND[kind.unit]
    counts = cells.cast(pa.int64()).to_pylist()
    return pa.array([None if count is None else hours_minutes_seconds(count, per) for count in counts], pa.string())


def _without_exponent(cells: pa.ChunkedArray) -> pa.Array:
    """Floats as digits with a point: an amount is written without an exponent."""
    coded = cells.cast(pa.float64()).combine_chunks().dictionary_encode()
    texts = coded.dictionary.cast(pa.string()).to_pylist()
    words = [f"{Decimal(text):f}" if "e" in text and abs(Decimal(text).adjusted()) <= MOST_ZEROS else text for text in texts]
    return pa.array(words, pa.string()).take(coded.indices)
