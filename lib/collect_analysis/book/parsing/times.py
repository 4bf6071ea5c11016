"""Days and moments from text by declared format; nothing is guessed, offsets and clock changes are judged, not smoothed over."""

import calendar
import re
from datetime import date, datetime

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from collect_analysis.book.source_format import EPOCHS, FiscalQuarter

_ISO_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
# A database or a typed file writes a day as a moment at midnight.
_MIDNIGHT = re.compile(r"([0-9]{4}-[0-9]{2}-[0-9]{2})[ T]00:00(?::00(?:\.0+)?)?")
_ISO_MOMENT = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}[ T][0-9]{2}:[0-9]{2}(:[0-9]{2}(\.[0-9]{1,6})?)?(Z|[+-][0-9]{2}(:?[0-9]{2})?)?$"
_OFFSET = r"(Z|[+-][0-9]{2}(:?[0-9]{2})?)$"
_EPOCH = r"^-?[0-9]{1,13}$"


def days(texts: pa.StringArray, pattern: str | None, *, edge: str | None) -> tuple[pa.Array, np.ndarray]:
    """Days (d,) written by `pattern` (None: 2026-06-30), moved to the first or last day of their month where `edge` says so.

    A pattern with a year only is moved to the first or last day of the year.
    """
    reasons = np.full(len(texts), "", dtype=object)
    found: list[date | None] = []
    for place, text in enumerate(texts.to_pylist()):
        day = None if text is None else _day(text, pattern)
        if day is None and text is not None:
            reasons[place] = "unreadable_date"
        found.append(_at_edge(day, edge, year_only=pattern == "%Y") if day and edge else day)
    return pa.array(found, pa.date32()), reasons


def _day(text: str, pattern: str | None) -> date | None:
    try:
        if pattern is not None:
            return datetime.strptime(text, pattern).date() if text.isascii() else None
        midnight = _MIDNIGHT.fullmatch(text)
        iso = midnight.group(1) if midnight else text
        return date.fromisoformat(iso) if _ISO_DAY.fullmatch(iso) else None
    except ValueError:
        return None


def _at_edge(day: date, edge: str, *, year_only: bool = False) -> date:
    if year_only:
        return date(day.year, 1, 1) if edge == "start" else date(day.year, 12, 31)
    return day.replace(day=1 if edge == "start" else calendar.monthrange(day.year, day.month)[1])


def moments(texts: pa.StringArray, pattern: str | None, *, zone: str | None, to_zone: str | None, utc: bool) -> tuple[pa.Array, np.ndarray]:
    """Moments (d,) without zone: in UTC where `utc`, else on the wall clock of `to_zone`, or as written.

    A text without offset is of `zone`; reasons are unreadable_timestamp, no_zone (UTC is asked for and neither offset nor zone is there) and
    ambiguous_time (the clock change makes it none or two).
    """
    reasons = np.full(len(texts), "", dtype=object)
    valid = texts.is_valid().to_numpy(zero_copy_only=False)
    wanted = "UTC" if utc else to_zone
    if pattern in EPOCHS:
        return _finish(_epochs(texts, pattern).dt.tz_convert(wanted or "UTC"), valid, reasons)
    plain = pc.if_else(pc.match_substring_regex(texts, _ISO_MOMENT), texts, pa.scalar(None, pa.string())) if pattern is None else texts
    with_offset = _offsets(plain, pattern)
    written = pd.Series(plain.to_pandas(), dtype=object)
    local = pd.Series(pd.NaT, index=written.index, dtype="datetime64[us]")
    bare = written.where(~with_offset)
    local.update(pd.to_datetime(bare, format=pattern or "ISO8601", errors="coerce"))
    if zone is not None:
        placed = local.dt.tz_localize(zone, ambiguous="NaT", nonexistent="NaT")
        reasons[(placed.isna() & local.notna()).to_numpy()] = "ambiguous_time"
        local = placed.dt.tz_convert(wanted).dt.tz_localize(None) if wanted else local.where(placed.notna())
    elif utc:
        reasons[local.notna().to_numpy()] = "no_zone"
    if with_offset.any():
        local.update(_offset_moments(written.where(with_offset), pattern, wanted))
    return _finish(local, valid, reasons)


def _epochs(texts: pa.StringArray, pattern: str) -> pd.Series:
    whole = pc.cast(pc.if_else(pc.match_substring_regex(texts, _EPOCH), texts, pa.scalar(None, pa.string())), pa.int64())
    unit = 1_000_000 if pattern == "epoch_s" else 1_000
    stamps = pc.cast(pc.multiply(whole, unit), pa.timestamp("us", "UTC"))
    return stamps.to_pandas()


def _offsets(plain: pa.StringArray, pattern: str | None) -> np.ndarray:
    if pattern is not None:
        return np.full(len(plain), "%z" in pattern)
    return pc.fill_null(pc.match_substring_regex(plain, _OFFSET_AFTER_TIME), False).to_numpy(zero_copy_only=False)


_OFFSET_AFTER_TIME = r"[ T][0-9:.]+" + _OFFSET


def _offset_moments(written: pd.Series, pattern: str | None, wanted: str | None) -> pd.Series:
    if wanted is not None:
        return pd.to_datetime(written, format=pattern or "ISO8601", errors="coerce", utc=True).dt.tz_convert(wanted).dt.tz_localize(None)
    # The wall clock as written: each moment keeps its own offset, which is dropped last.
    parsed = [pd.to_datetime(text, format=pattern or "ISO8601", errors="coerce") if isinstance(text, str) else pd.NaT for text in written]
    return pd.Series(
        [pd.NaT if moment is pd.NaT else moment.replace(tzinfo=None) for moment in parsed], index=written.index, dtype="datetime64[us]"
    )


def _finish(stamps: pd.Series, valid: np.ndarray, reasons: np.ndarray) -> tuple[pa.Array, np.ndarray]:
    plain = stamps.dt.tz_localize(None) if stamps.dt.tz is not None else stamps
    reasons[valid & plain.isna().to_numpy() & (reasons == "")] = "unreadable_timestamp"
    return pa.array(plain.astype("datetime64[us]"), pa.timestamp("us"), from_pandas=True), reasons


def fiscal_edge(year: str | None, quarter: str | None, rule: FiscalQuarter) -> date | None:
    """First or last day of a quarter of a fiscal year that is named after the year in which it ends; None: not such a quarter.

    With `first_month` 10, quarter 1 of fiscal year 2016 is October to December 2015.
    """
    if year is None or quarter is None or not re.fullmatch(r"[0-9]{2}|[0-9]{4}", year) or not re.fullmatch(r"[1-4]", quarter):
        return None
    named = int(year) + 2000 if len(year) == 2 else int(year)
    first = (named - (rule.first_month > 1)) * 12 + rule.first_month - 1 + 3 * (int(quarter) - 1)
    month = first if rule.edge == "start" else first + 2
    return _at_edge(date(month // 12, month % 12 + 1, 1), rule.edge)
