"""Make a whole synthetic shop: simulate the months, write table by table, and put the planted truth beside them."""

import json
import shutil
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np

from collect_analysis.book.durable import owned_folder
from collect_analysis.book.sample import (
    breaching,
    contacting,
    deciding,
    faults,
    files,
    invoicing,
    people,
    posting,
    promising,
    reference,
    service,
    targeting,
    truth,
    workforce,
)
from collect_analysis.book.sample.days import day_of, is_working_day, span_of
from collect_analysis.book.sample.plants import PLANTS
from collect_analysis.book.sample.simulation import Simulation
from collect_analysis.book.store import Manifest, with_load, write_manifest
from collect_analysis.errors import ParameterError

LEAST_ACCOUNTS, LEAST_MONTHS = 2_000, 18
NOTES = ("Synthetic data: made by a generator with planted facts (truth.json); no account, person or agency is real.",)
TRUTH = "truth.json"
# Streams of randomness, one per part, so that a change in one part leaves the others as they were.
STREAMS = ("people", "workforce", "simulation", "postings", "payments", "promises", "contacts", "breaches", "service", "invoices")
Progress = Callable[[str, float], None]


def make_sample(
    folder: Path, *, accounts: int, seed: int, as_of: date, months: int = 24, now: str, progress: Progress | None = None
) -> Manifest:
    """Write a synthetic shop with known truth into `folder`; a book that is there stays until the new one is complete.

    Parameters
    ----------
    folder
        Folder of the book, by custom `<books>/sample`.
    accounts
        Debts that are in the book at any time in the months.
    seed
        Seed of all randomness: same accounts, seed, months and as_of give the same files, byte for byte.
    as_of
        Last day of the last month.
    months
        Whole months that end on `as_of`.
    now
        When this was made, for the manifest.
    progress
        Called with what is being made and the share that is done.

    Returns
    -------
    Manifest
        Of the new book; `truth.json` beside it holds every planted fact with its exact keys and counts.

    Raises
    ------
    ParameterError
        Too few accounts or months for the planted facts, or `as_of` is not the last day of a month.
    """
    problems = []
    if accounts < LEAST_ACCOUNTS:
        problems.append(f"{accounts} accounts are too few: below {LEAST_ACCOUNTS:,} the planted facts do not fit in; ask for more accounts")
    if months < LEAST_MONTHS:
        problems.append(f"{months} months are too few: experiments and roll-out need {LEAST_MONTHS} months or more")
    if problems:
        raise ParameterError(problems)
    span_of(as_of, months)
    fresh = folder.with_name(f".{folder.name}.new")
    shutil.rmtree(fresh, ignore_errors=True)
    owned_folder(fresh)
    try:
        shop = _Shop(fresh, accounts=accounts, seed=seed, as_of=as_of, months=months, now=now, progress=progress or _silent)
        manifest = shop.make(folder.name)
        _replace(folder, fresh)
    finally:
        shutil.rmtree(fresh, ignore_errors=True)
    return manifest


def _silent(what: str, share: float) -> None:
    """Say nothing."""


def _replace(folder: Path, fresh: Path) -> None:
    """Swap the finished book in; a folder cannot be renamed over a full one, so the old book steps aside first and comes back on failure."""
    old = folder.with_name(f".{folder.name}.old")
    shutil.rmtree(old, ignore_errors=True)
    if folder.exists():
        folder.rename(old)
    try:
        fresh.rename(folder)
    except OSError:
        if old.exists():
            old.rename(folder)
        raise
    shutil.rmtree(old, ignore_errors=True)


class _Shop:
    """One making: keeps what later tables need, drops the rest as soon as it is written."""

    def __init__(self, folder: Path, *, accounts: int, seed: int, as_of: date, months: int, now: str, progress: Progress) -> None:
        self.folder, self.accounts, self.seed, self.now, self.progress = folder, accounts, seed, now, progress
        self.rng = dict(zip(STREAMS, np.random.default_rng(seed).spawn(len(STREAMS)), strict=True))
        self.span = span_of(as_of, months)
        self.faults = faults.choose_faults(self.span)
        self.manifest = Manifest(name="sample", synthetic=True, currency="VND", notes=NOTES)
        self.truth: dict[str, Any] = truth.header(accounts, seed, self.span)

    def make(self, name: str) -> Manifest:
        """All tables, the truth and the manifest."""
        self.manifest = replace(self.manifest, name=name)
        self.progress("months", 0.02)
        self._simulate()
        self.progress("payments", 0.15)
        postings = self._payments()
        self.progress("contacts", 0.25)
        rows, promises = self._contacts(postings)
        self.progress("contacts written", 0.7)
        self._contact_tables(rows, promises, postings)
        self.progress("service and reference tables", 0.9)
        self._small_tables()
        (self.folder / TRUTH).write_text(json.dumps(self.truth, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
        write_manifest(self.folder, self.manifest)
        self.progress("done", 1.0)
        return self.manifest

    def _write(self, table: str, columns: Mapping[str, object]) -> None:
        self.manifest = with_load(self.manifest, files.write(self.folder, table, columns, now=self.now))

    def _simulate(self) -> None:
        self.people = people.make_people(self.accounts, self.span, self.rng["people"])
        staff = workforce.make_workforce(self.accounts, self.span, self.rng["workforce"])
        simulation = Simulation(self.people, staff, self.span, self.rng["simulation"])
        self.history = simulation.run()
        self.staff, self.assignments = simulation.staff, simulation.assignments
        self.visit_month = simulation.visits.visit_month
        self.account_keys = people.account_keys(self.people.count)
        self.customer_keys = people.customer_keys(self.people.customers)
        self.officer_keys = workforce.officer_keys(self.staff)
        self.placements = simulation.placements.table()
        visits = simulation.visits.table()
        self._write("account", people.account_columns(self.people))
        self._write("month_end", simulation.month_ends.columns(self.account_keys, self.officer_keys))
        keys = (self.account_keys, self.customer_keys)
        self._write("decision", deciding.decision_columns(self.people, self.span, self.placements, self.assignments, visits, keys))
        self.truth |= truth.of_simulation(simulation, self.placements, visits)

    def _payments(self) -> posting.Postings:
        postings = posting.make_postings(self.history, self.span, self.assignments, self.rng["postings"])
        self._write("payment", posting.payment_columns(postings, self.account_keys, self.span, self.faults.late_day, self.rng["payments"]))
        self.truth |= truth.of_payments(postings, self.faults, self.span)
        invoices = invoicing.make_invoices(postings, self.placements, self.span, self.rng["invoices"])
        self._write("invoice_line", invoicing.invoice_columns(invoices, self.span))
        self.truth |= invoicing.of_invoices(invoices, self.span)
        return postings

    def _contacts(self, postings: posting.Postings) -> tuple[contacting.Contacts, promising.Promises]:
        rng = self.rng["promises"]
        promises = promising.promises_before_payments(self.history, self.span.end, rng)
        maker = contacting.ContactMaker(self.span, self.assignments, self.visit_month, self.people.luck, self.rng["contacts"])
        called = maker.promised(promises.account, promises.made_day, promises.unit, promises.officer, np.arange(len(promises)))
        parts = [called]
        for work in self.history.work:
            parts.append(maker.month(work))
            self.progress(f"contacts {self.span.name(work.month)}", 0.25 + 0.35 * (work.month + 1) / self.span.months)
        rows = contacting.joined(parts)
        rows = contacting.joined([rows, maker.more_minutes(rows)])
        rows, more = self._promises_in_passing(rows, len(promises), rng)
        rows, made = self._breaches(rows)
        self.truth |= truth.of_breaches(made)
        rows = self._outage(rows)
        order = np.argsort((rows["account"].astype(np.int64) * 40_000 + rows["day"]) * 86_400 + rows["second"], kind="stable")
        return rows.taken(order), promises.with_more(more)

    def _promises_in_passing(
        self, rows: contacting.Contacts, first: int, rng: np.random.Generator
    ) -> tuple[contacting.Contacts, promising.Promises]:
        """Promises without a payment in mind, on a share of the conversations."""
        reached = (rows["promise"] < 0) & (rows["result"] == contacting.ANSWERED) & rows["verified"] & ~rows["inbound"]
        chosen = np.flatnonzero(reached & (rng.random(len(rows)) < truth.PROMISE_IN_PASSING))
        account = rows["account"][chosen]
        more = promising.promises_on_contacts(
            account, rows["day"][chosen], rows["unit"][chosen], rows["officer"][chosen], self.people.original[account], self.span.end, rng
        )
        rows.columns["promise"][chosen] = first + np.arange(len(chosen))
        rows.columns["fixed"][chosen] = True
        return rows, more

    def _breaches(self, rows: contacting.Contacts) -> tuple[contacting.Contacts, breaching.Breaches]:
        customer = self.people.customer
        kept = np.flatnonzero(rows["fixed"])
        busy = set(zip(customer[rows["account"][kept]].tolist(), rows["day"][kept].tolist(), strict=True))
        quiet = {self.faults.clock_day, self.faults.outage_day}
        workdays = [day for day in range(self.span.start, self.span.end + 1) if is_working_day(day_of(day)) and day not in quiet]
        maker = breaching.BreachMaker(self.history.work, customer, busy, np.array(workdays), self.rng["breaches"])
        made = maker.plant(self.accounts, self.placements, self.span.end)
        rows = rows.taken(np.flatnonzero(breaching.within_daily_limit(rows, customer, maker.blocked)))
        return contacting.joined([rows, *made.rows]), made

    def _outage(self, rows: contacting.Contacts) -> contacting.Contacts:
        still = faults.stands_still(rows, self.faults)
        # A call that brought a promise is made after the dialer is back.
        rows.columns["second"][still & rows["fixed"]] += faults.OUTAGE_S[1] - faults.OUTAGE_S[0]
        lost = still & ~rows["fixed"]
        self.truth["faults"] |= truth.of_outage(rows.taken(np.flatnonzero(lost)), self.faults)
        return rows.taken(np.flatnonzero(~lost))

    def _contact_tables(self, rows: contacting.Contacts, promises: promising.Promises, postings: posting.Postings) -> None:
        shift = faults.clock_shift(rows, self.faults)
        columns = contacting.contact_columns(rows, self.people.customer, self.account_keys, self.customer_keys, self.officer_keys, shift)
        self._write("contact", columns)
        events = columns["event_key"]
        del columns
        from_call = np.flatnonzero(rows["promise"] >= 0)
        event = np.empty(len(promises), dtype=np.int64)
        event[rows["promise"][from_call]] = from_call
        order = np.argsort(event, kind="stable")
        promises, event = promises.taken(order), event[order]
        made_s = rows["day"][event].astype(np.int64) * 86_400 + rows["second"][event] + shift[event]
        state, paid = promising.judge(promises, made_s, postings, self.span.end)
        self.truth |= truth.of_promises(promises, state, paid)
        keys = (self.account_keys, self.officer_keys, events)
        self._write("promise", promising.promise_columns(promises, made_s, event, state, *keys))
        rng = self.rng["service"]
        self._write("qa", service.qa_columns(rows, events, self.officer_keys, self.span.end, rng))
        self._write("unit_day", service.unit_day_columns(rows, self.staff, self.span, self.officer_keys, rng))
        self.truth["faults"] |= truth.of_clock(shift, self.faults)
        self.truth["experiments"]["exp-minutes"]["seconds_by_arm"] = truth.of_minutes(rows, self.assignments)
        self._feeds(rows, postings)

    def _feeds(self, rows: contacting.Contacts, postings: posting.Postings) -> None:
        start, length = self.span.start, self.span.end - self.span.start + 1
        counts = np.bincount(postings.day - start, minlength=length)
        sums = np.bincount(postings.day - start, postings.amount, minlength=length)
        calls = np.bincount((rows["day"] - start)[rows["channel"] == contacting.CALL], minlength=length)
        month_rows = np.array([len(work.account) for work in self.history.work])
        self._write("feed_manifest", service.feed_columns(self.span, self.faults, (counts, sums), calls, month_rows))

    def _small_tables(self) -> None:
        rng, span, history, staff = self.rng["service"], self.span, self.history, self.staff
        month = span.months - PLANTS.training_month_before_end
        trained = service.weakest(history, staff, month)
        self.truth |= truth.of_training(history, staff, trained, month, span)
        self._write("training", service.training_columns(trained, int(span.first[month + 1]), self.officer_keys, rng))
        self._write("arrangement", service.arrangement_columns(history, span.end, self.account_keys))
        self._write("legal_stage", service.legal_stage_columns(history, self.people, span.end, self.account_keys, rng))
        self._write("ticket", service.ticket_columns(self.people, history, span.end, self.account_keys, rng))
        self._write("target", targeting.target_columns(history, staff, span, self.officer_keys.to_pylist()))
        self._write("unit", workforce.unit_columns(span))
        self._write("officer", workforce.officer_columns(staff, span))
        first, last = truth.assignment_days(self.assignments)
        self._write("experiment", reference.experiment_columns(first, last))
        self._write("ruleset", reference.ruleset_columns(span, history.rollout.start))
        self._write("tariff", reference.tariff_columns(span))
        self._write("legal_param", reference.legal_param_columns(span))
        self._write("calendar", reference.calendar_columns(span))
        self._write("code", reference.code_columns())
