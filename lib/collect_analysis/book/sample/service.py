"""Tables around the work: arrangements, court stages, tickets, quality assessments, training, officer days, deliveries of feeds."""

import numpy as np

from collect_analysis.book.sample import contacting as c, files
from collect_analysis.book.sample.days import Span, day_of, is_working_day
from collect_analysis.book.sample.faults import Faults
from collect_analysis.book.sample.history import History
from collect_analysis.book.sample.people import People
from collect_analysis.book.sample.plants import CAREFREE_AGENCY, PLANTS
from collect_analysis.book.sample.workforce import FIRST_FIELD, LEGAL_UNIT, TELE, UNIT_KIND, UNITS, Workforce

PLAN_DAYS = 180
STAGES = ("letter", "response", "filed", "accepted", "judgment", "enforced")
STAGE_DAYS, STAGE_COST, STAGE_PASSES = 75, (30_000, 0, 900_000, 400_000, 0, 1_500_000), 0.6
TICKET_TYPES = ("complaint", "dispute", "transferor_feedback", "data_subject", "incident")
TICKET_SHARES, TICKET_DUE_DAYS = (0.30, 0.25, 0.30, 0.10, 0.05), np.array([5, 10, 3, 15, 1])
TICKETS_PER_ACCOUNT = 0.02
ROOT_CAUSES = ("script", "balance", "feed", "contact_point", "officer")
QA_SHARE, ASSESSORS = 0.02, 6
COURSE = "course-promises"
SHIFT_PAD_MIN = 12


def arrangement_columns(history: History, end: int, accounts: object) -> dict[str, object]:
    """Table `arrangement`: settlements that closed a debt, and restructurings that made it current."""
    settled, reaged = history.settled.joined(), history.reaged.joined()
    first, second = len(settled["account"]), len(reaged["account"])
    count = first + second
    none = np.concatenate([np.zeros(first, dtype=bool), np.ones(second, dtype=bool)])
    start = np.concatenate([settled["day"], reaged["day"]])
    finish = np.where(none, start + PLAN_DAYS, start)

    def money(name: str) -> object:
        return files.whole(np.concatenate([settled[name], np.zeros(second, dtype=np.int64)]), empty=none)

    return {
        "arrangement_key": files.serials("arr-", count, width=7),
        "account_key": files.pick(accounts, np.concatenate([settled["account"], reaged["account"]])),
        "type": files.pick(("settlement", "restructure"), none),
        "from_date": files.days(start),
        "to_date": files.days(finish),
        "covered_minor": files.whole(np.concatenate([settled["covered"], reaged["balance"]])),
        "settled_minor": money("paid"),
        "waived_principal_minor": money("principal"),
        "waived_interest_minor": money("interest"),
        "waived_fees_minor": money("fees"),
        "approver_role": files.pick(("manager", "director"), none),
        "status": files.pick(("kept", "active"), none & (finish > end)),
    }


def legal_stage_columns(history: History, people: People, end: int, accounts: object, rng: np.random.Generator) -> dict[str, object]:
    """Table `legal_stage`: debts of the legal unit go through the stages until they stop or the book ends."""
    first: dict[int, int] = {}
    for work in history.work:
        for account, since in zip(
            work.account[work.unit == LEGAL_UNIT].tolist(), work.since[work.unit == LEGAL_UNIT].tolist(), strict=True
        ):
            first.setdefault(account, since)
    rows = []
    for account, day in sorted(first.items()):
        for step in range(len(STAGES)):
            length = int(rng.integers(STAGE_DAYS // 2, STAGE_DAYS * 2))
            rows.append((account, step + 1, step, day, day + length, step))
            day += length
            if day > end or rng.random() > STAGE_PASSES:
                break
    table = np.array(rows, dtype=np.int64)
    return {
        "account_key": files.pick(accounts, table[:, 0]),
        "seq": files.whole(table[:, 1]),
        "stage": files.pick(STAGES, table[:, 2]),
        "from_date": files.days(table[:, 3]),
        "to_date": files.days(table[:, 4], empty=table[:, 4] > end),
        "cost_minor": files.whole(np.array(STAGE_COST)[table[:, 2]]),
        "court_region": files.pick(("north", "centre", "south"), people.region[table[:, 0]] % 3),
    }


def ticket_columns(people: People, history: History, end: int, accounts: object, rng: np.random.Generator) -> dict[str, object]:
    """Table `ticket`: complaints fall on units by their work, on the careless agency more often; some close late or not at all."""
    count = max(40, round(TICKETS_PER_ACCOUNT * people.count))
    month = rng.integers(0, len(history.work), count)
    kind = rng.choice(len(TICKET_TYPES), count, p=TICKET_SHARES)
    account, unit, opened = (np.zeros(count, dtype=np.int64) for _ in range(3))
    for index in range(count):
        work = history.work[month[index]]
        row = rng.integers(len(work.account))
        if kind[index] == 0 and rng.random() < 0.25:
            row = (
                rng.choice(np.flatnonzero(work.unit == UNITS.index(CAREFREE_AGENCY)))
                if (work.unit == UNITS.index(CAREFREE_AGENCY)).any()
                else row
            )
        account[index], unit[index] = work.account[row], work.unit[row]
        opened[index] = rng.integers(min(work.since[row], work.until[row]), work.until[row] + 1) * 86_400 + rng.integers(
            8 * 3600, 18 * 3600
        )
    due = opened + TICKET_DUE_DAYS[kind] * 86_400
    closed = opened + (rng.gamma(2.0, 0.3, count) * TICKET_DUE_DAYS[kind] * 86_400).astype(np.int64)
    open_now = closed >= (end + 1) * 86_400
    side = np.select([kind == 2, UNIT_KIND[unit] == 4], [1, 2], 0)
    order = np.argsort(opened, kind="stable")
    upheld, reopened, amount = rng.random(count) < 0.3, rng.random(count) < 0.05, rng.integers(1, 50, count) * 100_000
    cause = rng.integers(0, len(ROOT_CAUSES), count)
    return {
        "ticket_key": files.serials("tic-", count, width=6),
        "type": files.pick(TICKET_TYPES, kind[order]),
        "opened_ts": files.seconds(opened[order]),
        "due_ts": files.seconds(due[order]),
        "closed_ts": files.seconds(closed[order], empty=open_now[order]),
        "owner_side": files.pick(("amc", "transferor", "agency"), side[order]),
        "account_key": files.pick(accounts, np.where(kind == 4, -1, account)[order]),
        "unit_key": files.pick(UNITS, unit[order]),
        "amount_minor": files.whole(amount[order], empty=(kind != 2)[order]),
        "root_cause": files.pick(ROOT_CAUSES, np.where(open_now, -1, cause)[order]),
        "upheld": files.flags(upheld[order], empty=(open_now | (kind > 1))[order]),
        "reopened": files.flags((reopened & ~open_now)[order]),
    }


def qa_columns(rows: c.Contacts, events: object, officers: object, end: int, rng: np.random.Generator) -> dict[str, object]:
    """Table `qa`: a sample of conversations, the careless agency's scored lower; weight = conversations a sampled one stands for."""
    spoken = np.flatnonzero((rows["result"] == c.ANSWERED) & (rows["talk"] >= 30) & (rows["day"] < end - 6))
    chosen = spoken[rng.random(len(spoken)) < QA_SHARE]
    careless = rows["unit"][chosen] == UNITS.index(CAREFREE_AGENCY)
    score = np.clip(np.round(rng.normal(np.where(careless, 0.74, 0.86), 0.08), 2), 0, 1)
    return {
        "qa_key": files.serials("qa-", len(chosen), width=6),
        "event_key": events.take(files.whole(chosen)),  # type: ignore[attr-defined]
        "officer_key": files.pick(officers, rows["officer"][chosen]),
        "unit_key": files.pick(UNITS, rows["unit"][chosen]),
        "assessor_key": files.pick(
            tuple(f"assessor-{number}" for number in range(1, ASSESSORS + 1)), rng.integers(0, ASSESSORS, len(chosen))
        ),
        "assessed_on": files.days(rows["day"][chosen] + rng.integers(1, 6, len(chosen))),
        "form_version": files.constant("form-3", len(chosen)),
        "score": files.real(score),
        "critical_fail": files.flags(rng.random(len(chosen)) < np.where(careless, 0.06, 0.01)),
        "sampled_weight": files.real(np.full(len(chosen), 1 / QA_SHARE)),
    }


def weakest(history: History, staff: Workforce, month: int) -> np.ndarray:
    """Tele officers whose collected over expected was among the lowest tenth of one month."""
    acting = np.flatnonzero(UNIT_KIND[staff.officer_unit] == TELE)
    index = history.collected_officer[month, acting] / history.expected_officer[month, acting]
    return np.sort(acting[np.argsort(index, kind="stable")[: max(2, round(PLANTS.trained_share * len(acting)))]])


def training_columns(trained: np.ndarray, day: int, officers: object, rng: np.random.Generator) -> dict[str, object]:
    """Table `training`: one course for the weakest of a month; it teaches the test and changes nothing at work."""
    before = np.clip(np.round(rng.normal(0.55, 0.1, len(trained)), 2), 0, 1)
    return {
        "officer_key": files.pick(officers, trained),
        "course_id": files.constant(COURSE, len(trained)),
        "wave": files.constant("1", len(trained)),
        "assigned_date": files.days(np.full(len(trained), day)),
        "attended": files.flags(np.ones(len(trained), dtype=bool)),
        "pre_score": files.real(before),
        "post_score": files.real(np.clip(np.round(before + rng.normal(0.2, 0.05, len(trained)), 2), 0, 1)),
        "assigned_why": files.constant("weakest_month", len(trained)),
    }


def unit_day_columns(rows: c.Contacts, staff: Workforce, span: Span, officers: object, rng: np.random.Generator) -> dict[str, object]:
    """Table `unit_day`: minutes add up from the contacts of the officer's day; the log of three million events makes for short shifts."""
    working = np.array([day for day in range(span.start, span.end + 1) if is_working_day(day_of(day))])
    own = np.flatnonzero((rows["officer"] >= 0) & ~rows["inbound"])
    length = span.end - span.start + 1
    cell = rows["officer"][own].astype(np.int64) * length + rows["day"][own] - span.start
    size = staff.officers * length
    talk, wrap, wait = (np.bincount(cell, np.maximum(rows[name][own], 0), minlength=size) / 60 for name in ("talk", "wrap", "wait"))
    visits = np.bincount(cell[rows["channel"][own] == c.VISIT], minlength=size)
    officer, day = np.repeat(np.arange(staff.officers), len(working)), np.tile(working, staff.officers)
    spot = officer * length + day - span.start
    minutes = [np.ceil(values[spot]).astype(np.int64) for values in (talk, wrap, wait)]
    worked = sum(minutes)
    pause = rng.integers(3, SHIFT_PAD_MIN, len(spot))
    absent = (worked == 0) & (visits[spot] == 0)
    field = (staff.officer_unit[officer] >= FIRST_FIELD) & ~absent
    return {
        "officer_key": files.pick(officers, officer),
        "unit_key": files.pick(UNITS, staff.officer_unit[officer]),
        "date": files.days(day),
        "scheduled_min": files.whole(np.maximum(worked, 20) + SHIFT_PAD_MIN),
        "logged_min": files.whole(np.where(absent, 0, worked + pause)),
        "talk_min": files.whole(minutes[0]),
        "wrap_min": files.whole(minutes[1]),
        "wait_min": files.whole(minutes[2]),
        "break_min": files.whole(np.where(absent, 0, pause)),
        "visits": files.whole(visits[spot]),
        "km": files.real(np.where(field, np.round(visits[spot] * 6.5 + rng.uniform(0, 4, len(spot)), 1), np.nan)),
    }


def feed_columns(
    span: Span, faults: Faults, payments: tuple[np.ndarray, np.ndarray], calls: np.ndarray, month_rows: np.ndarray
) -> dict[str, object]:
    """Table `feed_manifest`: daily payments and calls, monthly states and scores.

    One payment feed comes a day late, one score file repeats the last.

    `payments` are rows and sums by day, `calls` rows by day, `month_rows` month ends by month.
    """
    days = np.arange(span.start, span.end + 1)
    months = span.last
    source = np.concatenate([np.zeros(len(days)), np.ones(len(days)), np.full(len(months), 2), np.full(len(months), 3)]).astype(np.int64)
    day = np.concatenate([days, days, months, months])
    rows = np.concatenate([payments[0], calls, month_rows, month_rows]).astype(np.int64)
    money = np.concatenate([payments[1], np.zeros(len(days) + 2 * len(months))]).astype(np.int64)
    expected = (day + 1) * 86_400 + 6 * 3600
    late = (source == 0) & (day == faults.late_day)
    arrived = np.where(late, expected + 33 * 3600, expected - 20 * 60)
    stamp = np.where((source == 3) & (day == span.last[faults.stuck_month]), span.last[faults.stuck_month - 1], day)
    names = ("payments", "dialer", "month_end", "scores")
    return {
        "load_id": [f"{names[s]}-{day_of(d):%Y%m%d}" for s, d in zip(source, day, strict=True)],
        "source": files.pick(names, source),
        "business_date": files.days(day),
        "expected_ts": files.seconds(expected),
        "arrived_ts": files.seconds(arrived),
        "rows": files.whole(rows),
        "control_rows": files.whole(rows),
        "amount_minor": files.whole(money, empty=source != 0),
        "control_minor": files.whole(money, empty=source != 0),
        "file_hash": [f"{names[s]}-{d:06d}" for s, d in zip(source, stamp, strict=True)],
        "status": files.pick(("loaded", "late"), late),
    }
