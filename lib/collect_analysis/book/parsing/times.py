"""Days and moments from text by declared format; nothing is guessed, offsets and clock changes are judged, not smoothed over."""

import calendar
import re
from datetime import date, datetime, timedelta
from decimal import Decimal

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from collect_analysis.book.source_format import EPOCHS, SERIAL_DAYS, FiscalQuarter

_ISO_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
# A database or a typed file writes a day as a moment at midnight.
_MIDNIGHT = re.compile(r"([0-9]{4}-[0-9]{2}-[0-9]{2})[ T]00:00(?::00(?:\.0+)?)?")
_OFFSET = r"(Z|[+-][0-9]{2}(:?[0-9]{2})?)$"
_ISO_MOMENT = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}[ T][0-9]{2}:[0-9]{2}(:[0-9]{2}(\.[0-9]{1,12})?)?(Z|[+-][0-9]{2}(:?[0-9]{2})?)?$"
_OFFSET_AFTER_TIME = r"[ T][0-9:.]+" + _OFFSET
_TIME_SIGNS = re.compile(r"%[HIMSfp]")
# Moments are kept to the microsecond; the seconds of a source may have more digits.
_TOO_FINE = r"(:[0-9]{2}[.,][0-9]{6})[0-9]+"
_EPOCH = r"^-?[0-9]{1,18}([.][0-9]{1,9})?$"
# What lies outside is set aside by the contract; zone rules do not reach there.
_FIRST, _LAST = pd.Timestamp("1900-01-01"), pd.Timestamp("9000-01-01")
_PLAUSIBLE = (pd.Timestamp("1990-01-01"), pd.Timestamp("2100-01-01"))
_SERIAL = re.compile(r"[0-9]{1,7}(?:\.0+)?")


def days(
    texts: pa.StringArray, pattern: str | None, *, edge: str | None, drop_time: bool = False, to_zone: str | None = None
) -> tuple[pa.Array, np.ndarray]:
    """Days (d,) written by `pattern` (None: 2026-06-30), moved to the first or last day of their month where `edge` says so.

    A pattern with a year only is moved to the first or last day of the year. With `drop_time`, or a pattern that has a time, moments are read
    too and count as their day, on the wall clock of `to_zone` where that is given; one with an offset has no day without (day_of_no_zone).
    """
    if drop_time or to_zone or (pattern is not None and _TIME_SIGNS.search(pattern)):
        found, reasons = _days_of_moments(texts, pattern, to_zone=to_zone, drop_time=drop_time)
    else:
        found, reasons = _written_days(texts, pattern)
    if edge is None:
        return found, reasons
    moved = [None if day is None else at_edge(day, edge, year_only=pattern == "%Y") for day in found.to_pylist()]
    return pa.array(moved, pa.date32()), reasons


def _written_days(texts: pa.StringArray, pattern: str | None) -> tuple[pa.Array, np.ndarray]:
    reasons = np.full(len(texts), "", dtype=object)
    found: list[date | None] = []
    for place, text in enumerate(texts.to_pylist()):
        day = None if text is None else _day(text, pattern)
        if day is None and text is not None:
            reasons[place] = "unreadable_date"
        found.append(day)
    return pa.array(found, pa.date32()), reasons


def _days_of_moments(texts: pa.StringArray, pattern: str | None, *, to_zone: str | None, drop_time: bool) -> tuple[pa.Array, np.ndarray]:
    stamps, reasons = moments(texts, pattern, zone=None, to_zone=to_zone, utc=False)
    found = pc.cast(stamps, pa.date32(), safe=False)
    if to_zone is None:
        reasons[_offsets(texts, pattern) & (reasons == "")] = "day_of_no_zone"
    if pattern is None and not drop_time:
        # Midnight in the zone is how a typed file writes a day; any other time is not for us to drop.
        early = pc.fill_null(pc.not_equal(pc.floor_temporal(stamps, unit="day"), stamps), False).to_numpy(zero_copy_only=False)
        reasons[early] = "unreadable_date"
    if pattern is None:
        plain, _ = _written_days(texts, None)
        is_day = plain.is_valid().to_numpy(zero_copy_only=False)
        found = pc.if_else(pa.array(is_day), plain, found)
        reasons[is_day] = ""
    reasons[reasons == "unreadable_timestamp"] = "unreadable_date"
    return found, reasons


def _day(text: str, pattern: str | None) -> date | None:
    try:
        if pattern in SERIAL_DAYS:
            return SERIAL_DAYS[pattern] + timedelta(days=int(text.split(".")[0])) if _SERIAL.fullmatch(text) else None
        if pattern is not None:
            return datetime.strptime(text, pattern).date() if text.isascii() else None
        midnight = _MIDNIGHT.fullmatch(text)
        iso = midnight.group(1) if midnight else text
        return date.fromisoformat(iso) if _ISO_DAY.fullmatch(iso) else None
    except (ValueError, OverflowError):
        return None


def has_day(pattern: str | None) -> bool:
    """Whether what is written by `pattern` says a day, which an edge then moves, and no month or year alone."""
    return pattern is None or pattern in SERIAL_DAYS or "%d" in pattern


def at_edge(day: date, edge: str, *, year_only: bool = False) -> date:
    """The first or last day of the month of a day, or of its year."""
    if year_only:
        return date(day.year, 1, 1) if edge == "start" else date(day.year, 12, 31)
    return day.replace(day=1 if edge == "start" else calendar.monthrange(day.year, day.month)[1])


def moments(texts: pa.StringArray, pattern: str | None, *, zone: str | None, to_zone: str | None, utc: bool) -> tuple[pa.Array, np.ndarray]:
    """Moments (d,) without zone, cut to the microsecond: in UTC where `utc`, else on the wall clock of `to_zone`, or as written.

    A text without offset is of `zone`; reasons are unreadable_timestamp, other_epoch (`other_epoch` tells which), no_zone (UTC is asked for
    and neither offset nor zone is there) and ambiguous_time (the clock change makes it none or two). Years beyond all zone rules stay as
    written.
    """
    reasons = np.full(len(texts), "", dtype=object)
    valid = texts.is_valid().to_numpy(zero_copy_only=False)
    wanted = "UTC" if utc else to_zone
    if pattern in EPOCHS:
        stamps = _epochs(texts, pattern)
        if other := other_epoch(texts, pattern):
            reasons[(~stamps.between(*_PLAUSIBLE) & _epochs(texts, other).between(*_PLAUSIBLE)).to_numpy()] = "other_epoch"
        return _finish(_moved(stamps, "UTC", wanted, reasons), valid, reasons)
    plain = pc.if_else(pc.match_substring_regex(texts, _ISO_MOMENT), texts, pa.scalar(None, pa.string())) if pattern is None else texts
    with_offset = _offsets(plain, pattern)
    written = pd.Series(pc.replace_substring_regex(plain, _TOO_FINE, r"\1").to_pandas(), dtype=object)
    local = pd.to_datetime(written.where(~with_offset), format=pattern or "ISO8601", errors="coerce").astype("datetime64[us]")
    if zone is not None:
        local = _moved(local, zone, wanted, reasons)
    elif utc:
        reasons[local.notna().to_numpy()] = "no_zone"
    if with_offset.any():
        offset = _offset_moments(written.where(with_offset), pattern, wanted)
        local = local.where(offset.isna(), offset)
    return _finish(local, valid, reasons)


def too_fine(texts: pa.StringArray) -> np.ndarray:
    """Which texts (d,) hold a time finer than a microsecond, of which the rest is cut off."""
    return pc.fill_null(pc.match_substring_regex(texts, _TOO_FINE), False).to_numpy(zero_copy_only=False)


def durations(texts: pa.StringArray, form: str, *, unit: int, rounding: bool) -> tuple[pa.Array, np.ndarray]:
    """Times of work (d,) written as `form` (h:mm, h:mm:ss, mm:ss; the first part may exceed a day) in units of `unit` seconds.

    Reasons: unreadable_duration; too_fine where a part of a unit is left and `rounding` is false.
    """
    reasons = np.full(len(texts), "", dtype=object)
    found: list[int | None] = []
    for place, text in enumerate(texts.to_pylist()):
        seconds = None if text is None else _seconds(text, form)
        if seconds is None and text is not None:
            reasons[place] = "unreadable_duration"
        elif seconds is not None and seconds % unit and not rounding:
            reasons[place] = "too_fine"
        found.append(None if seconds is None else round(seconds / unit))
    return pa.array(found, pa.int64()), reasons


def _seconds(text: str, form: str) -> Decimal | None:
    parts = re.fullmatch(r"([0-9]{1,6}):([0-5][0-9])(?::([0-5][0-9](?:\.[0-9]{1,9})?))?", text)
    if parts is None or (parts[3] is None) != (form != "h:mm:ss"):
        return None
    first, second = int(parts[1]), int(parts[2])
    return Decimal(60 * first + second) if form == "mm:ss" else Decimal(3600 * first + 60 * second) + Decimal(parts[3] or 0)


def _moved(local: pd.Series, zone: str, wanted: str | None, reasons: np.ndarray) -> pd.Series:
    """Moments of a zone on the wall clock of `wanted` (None: their own); `reasons` is marked in place where a clock change makes none or two."""
    near = local.between(_FIRST, _LAST)
    placed = local.where(near).dt.tz_localize(zone, ambiguous="NaT", nonexistent="NaT")
    lost = placed.isna() & near
    reasons[lost.to_numpy()] = "ambiguous_time"
    shown = placed.dt.tz_convert(wanted).dt.tz_localize(None) if wanted else local.where(~lost)
    return shown.where(near, local)


def other_epoch(texts: pa.StringArray, pattern: str) -> str:
    """The unit in which counts from 1970 make sense that do not in the declared one; empty: none."""
    declared = _epochs(texts, pattern).between(*_PLAUSIBLE)
    for name in EPOCHS:
        if name != pattern and (_epochs(texts, name).between(*_PLAUSIBLE) & ~declared).any():
            return name
    return ""


def _epochs(texts: pa.StringArray, pattern: str) -> pd.Series:
    """Moments counted from 1970 in UTC; empty where the text is no such count or lies beyond the calendar."""
    counts = pc.if_else(pc.match_substring_regex(texts, _EPOCH), texts, pa.scalar(None, pa.string()))
    exact = pc.multiply(pc.cast(counts, pa.decimal128(28, 9)), pa.scalar(Decimal(EPOCHS[pattern]), pa.decimal128(7, 0)))
    micros = pc.floor(exact)
    last = pa.scalar(Decimal(int(_LAST.timestamp()) * 1_000_000), micros.type)
    inside = pc.fill_null(pc.less_equal(pc.abs(micros), last), False)
    whole = pc.cast(pc.if_else(inside, micros, pa.scalar(None, micros.type)), pa.int64())
    return pc.cast(whole, pa.timestamp("us")).to_pandas().astype("datetime64[us]")


def _offsets(plain: pa.StringArray, pattern: str | None) -> np.ndarray:
    if pattern is not None:
        return np.full(len(plain), "%z" in pattern)
    return pc.fill_null(pc.match_substring_regex(plain, _OFFSET_AFTER_TIME), False).to_numpy(zero_copy_only=False)


def _offset_moments(written: pd.Series, pattern: str | None, wanted: str | None) -> pd.Series:
    form = pattern or "ISO8601"
    if wanted is not None:
        stamps = pd.to_datetime(written, format=form, errors="coerce", utc=True).astype("datetime64[us, UTC]")
        near = stamps.between(_FIRST.tz_localize("UTC"), _LAST.tz_localize("UTC"))
        return stamps.where(near).dt.tz_convert(wanted).dt.tz_localize(None).where(near, stamps.dt.tz_localize(None))
    # The wall clock as written: each moment keeps its own offset, which is dropped last.
    parsed = [pd.to_datetime(text, format=form, errors="coerce") if isinstance(text, str) else pd.NaT for text in written]
    return pd.Series(
        [pd.NaT if moment is pd.NaT else moment.replace(tzinfo=None) for moment in parsed], index=written.index, dtype="datetime64[us]"
    )


def _finish(stamps: pd.Series, valid: np.ndarray, reasons: np.ndarray) -> tuple[pa.Array, np.ndarray]:
    reasons[valid & stamps.isna().to_numpy() & (reasons == "")] = "unreadable_timestamp"
    return pa.array(stamps.astype("datetime64[us]"), pa.timestamp("us"), from_pandas=True), reasons


def fiscal_edge(year: str | None, quarter: str | None, rule: FiscalQuarter) -> date | None:
    """First or last day of a quarter of a fiscal year that is named after the year in which it ends; None: not such a quarter.

    With `first_month` 10, quarter 1 of fiscal year 2016 is October to December 2015.
    """
    if year is None or quarter is None or not re.fullmatch(r"[0-9]{2}|[0-9]{4}", year) or not re.fullmatch(r"[1-4]", quarter):
        return None
    named = int(year) + 2000 if len(year) == 2 else int(year)
    first = (named - (rule.first_month > 1)) * 12 + rule.first_month - 1 + 3 * (int(quarter) - 1)
    month = first if rule.edge == "start" else first + 2
    return at_edge(date(month // 12, month % 12 + 1, 1), rule.edge)
