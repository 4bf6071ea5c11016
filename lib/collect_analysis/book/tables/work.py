"""The work: contacts, promises, decisions on who treats an account how, units, officers, their days."""

from collect_analysis.book.schema import Column, Interval, Table

CHANNELS = ("call", "voicebot", "sms", "app", "email", "letter", "visit")
# What became of an attempt. `answered` is a person on the line or at the door; `delivered` is a message that arrived.
RESULTS = ("answered", "no_answer", "busy", "voicemail", "invalid", "abandoned", "no_agent", "delivered", "failed", "met", "not_met")
PARTIES = ("debtor", "guarantor", "relative", "third_party", "unknown", "none")
UNIT_TYPES = ("company", "sub_function", "team", "agency")
SUB_FUNCTIONS = ("soft", "tele", "field", "skip_trace", "legal", "agency", "quality", "strategy")
PARTNER_TYPES = ("law_firm", "lawyer", "amc_owned", "other", "none")

CONTACT = Table(
    name="contact",
    grain="one row per attempt or inbound contact",
    key=("event_key",),
    known_on="local_ts",
    every_month=True,
    columns=(
        Column(name="event_key", type="key", doc="Event id."),
        Column(name="account_key", type="key", doc="The debt.", personal=True),
        Column(name="customer_key", type="key", doc="The debtor: limits count per person.", personal=True),
        Column(name="ts_utc", type="timestamp", doc="When, in UTC."),
        Column(name="local_ts", type="timestamp", doc="When, on the debtor's wall clock; hours and days are judged on this."),
        Column(name="direction", type="code", doc="out: an attempt; in: the debtor came.", allowed=("out", "in")),
        Column(name="channel", type="code", doc="Channel.", allowed=CHANNELS),
        Column(name="result", type="code", doc="What became of it.", allowed=RESULTS),
        Column(name="party_role", type="code", doc="Who was reached.", allowed=PARTIES),
        Column(name="verified", type="flag", doc="Identity verified; answered + debtor or guarantor + verified is a right-party contact."),
        Column(name="talk_s", type="integer", doc="Seconds talked.", required=False, low=0),
        Column(name="wait_s", type="integer", doc="Seconds waited before.", required=False, low=0),
        Column(name="wrap_s", type="integer", doc="Seconds of after-call work.", required=False, low=0),
        Column(name="unit_key", type="key", doc="Team or agency.", required=False),
        Column(name="officer_key", type="key", doc="Officer; empty for machines.", required=False, personal=True),
        Column(name="campaign", type="code", doc="Campaign or list.", required=False),
        Column(name="contact_point_hash", type="key", doc="Keyed hash of the number or address.", required=False, personal=True),
        Column(name="template", type="code", doc="Script or message template.", required=False),
        Column(name="opened", type="flag", doc="Message opened; empty: the channel does not tell.", required=False),
        Column(name="clicked", type="flag", doc="Link in a message used; empty: the channel does not tell.", required=False),
        Column(name="geo_ok", type="flag", doc="Visit position within the tolerance.", required=False),
        Column(name="verified_log", type="flag", doc="Backed by a recording or system log, not only declared by the unit.", required=False),
    ),
)

PROMISE = Table(
    name="promise",
    grain="one row per promise to pay",
    key=("promise_key",),
    known_on="made_ts",
    intervals=(Interval(start="made_ts", end="due_date", end_included=True),),
    columns=(
        Column(name="promise_key", type="key", doc="Promise id."),
        Column(name="account_key", type="key", doc="The debt.", personal=True),
        Column(name="made_ts", type="timestamp", doc="When made, debtor's wall clock."),
        Column(name="due_date", type="date", doc="Day promised."),
        Column(name="amount_minor", type="money", doc="Amount promised.", low=0),
        Column(name="n_instalments", type="integer", doc="Instalments.", required=False, low=1),
        Column(name="unit_key", type="key", doc="Team or agency.", required=False),
        Column(name="officer_key", type="key", doc="Officer.", required=False, personal=True),
        Column(name="event_key", type="key", doc="Contact it came from.", required=False),
        Column(
            name="status_as_reported",
            type="code",
            doc="Status in the source system; informative, never used to count kept promises.",
            required=False,
            allowed=("open", "kept", "partly", "broken", "renegotiated", "cancelled"),
        ),
    ),
)

DECISION = Table(
    name="decision",
    grain="one row per evaluation of a rule that assigned segment, arm, channel or unit",
    key=("decision_key",),
    known_on="from_date",
    intervals=(Interval(start="from_date", end="to_date"),),
    columns=(
        Column(name="decision_key", type="key", doc="Decision id."),
        Column(name="account_key", type="key", doc="The debt.", personal=True),
        Column(name="customer_key", type="key", doc="The debtor.", personal=True),
        Column(name="kind", type="code", doc="What was decided.", allowed=("segment", "experiment", "placement")),
        Column(name="decided_utc", type="timestamp", doc="When the rule ran."),
        Column(name="ruleset_id", type="key", doc="Rule set.", required=False),
        Column(name="rule_id", type="key", doc="Row of the rule set.", required=False),
        Column(name="segment", type="code", doc="Segment assigned; for placements the placement stratum.", required=False),
        Column(name="experiment_id", type="key", doc="Experiment.", required=False),
        Column(name="arm", type="code", doc="Arm of the experiment.", required=False),
        Column(
            name="propensity",
            type="number",
            doc="Probability with which this account got this treatment; empty: not logged.",
            required=False,
            low=0,
            high=1,
        ),
        Column(name="unit_key", type="key", doc="Team or agency assigned.", required=False),
        Column(name="batch_id", type="key", doc="Placement batch.", required=False),
        Column(name="placement_no", type="integer", doc="1 first placement, 2 second, ...", required=False, low=1),
        Column(name="from_date", type="date", doc="First day."),
        Column(name="to_date", type="date", doc="Day after the last; empty while running.", required=False),
        Column(name="balance_minor", type="money", doc="Balance when decided: the denominator of liquidation.", required=False, low=0),
        Column(
            name="end_reason",
            type="code",
            doc="Why it ended.",
            required=False,
            allowed=("paid", "recall", "return", "move", "expired", "written_off", "sold"),
        ),
        Column(name="end_requested_ts", type="timestamp", doc="When the transferor asked for the end (recall), local.", required=False),
        Column(name="ended_ts", type="timestamp", doc="When the end was carried out, local.", required=False),
        Column(name="override_reason", type="code", doc="Why a person overrode the rule.", required=False),
    ),
)

UNIT = Table(
    name="unit",
    grain="one row per unit and interval in which nothing changed",
    key=("unit_key", "valid_from"),
    known_on="valid_from",
    intervals=(Interval(start="valid_from", end="valid_to", of=("unit_key",)),),
    columns=(
        Column(name="unit_key", type="key", doc="Unit id."),
        Column(name="valid_from", type="date", doc="First day."),
        Column(name="valid_to", type="date", doc="Day after the last; empty while current.", required=False),
        Column(name="name", type="text", doc="Name on pages."),
        Column(name="parent_key", type="key", doc="Unit above.", required=False),
        Column(name="unit_type", type="code", doc="Kind.", allowed=UNIT_TYPES),
        Column(name="sub_function", type="code", doc="Sub-function.", required=False, allowed=SUB_FUNCTIONS),
        Column(name="partner_type", type="code", doc="Legal kind of an outsourced partner.", required=False, allowed=PARTNER_TYPES),
        Column(name="authorisation_id", type="key", doc="Letter of authorisation.", required=False),
        Column(name="authorised_to", type="date", doc="Last day the letter is valid.", required=False),
        Column(name="capacity_accounts", type="integer", doc="Accounts it can work.", required=False, low=0),
        Column(name="tariff_id", type="key", doc="Commission tariff.", required=False),
    ),
)

OFFICER = Table(
    name="officer",
    grain="one row per officer and interval in which nothing changed",
    key=("officer_key", "valid_from"),
    known_on="valid_from",
    intervals=(Interval(start="valid_from", end="valid_to", of=("officer_key",)),),
    columns=(
        Column(name="officer_key", type="key", doc="Pseudonym of the officer.", personal=True),
        Column(name="valid_from", type="date", doc="First day."),
        Column(name="valid_to", type="date", doc="Day after the last; empty while current.", required=False),
        Column(name="unit_key", type="key", doc="Team."),
        Column(name="role", type="code", doc="Role.", required=False),
        Column(name="hire_month", type="date", doc="First day of the month of hire.", required=False, edge="start"),
        Column(name="tenure_band", type="code", doc="Tenure band.", required=False),
        Column(name="active", type="flag", doc="Works in this interval."),
    ),
)

UNIT_DAY = Table(
    name="unit_day",
    grain="one row per officer and day",
    key=("officer_key", "date"),
    known_on="date",
    every_month=True,
    columns=(
        Column(name="officer_key", type="key", doc="The officer.", personal=True),
        Column(name="unit_key", type="key", doc="Team."),
        Column(name="date", type="date", doc="The day."),
        Column(name="scheduled_min", type="integer", doc="Minutes scheduled.", low=0),
        Column(name="logged_min", type="integer", doc="Minutes logged in (paid).", low=0),
        Column(name="talk_min", type="integer", doc="Minutes talking, with hold.", low=0),
        Column(name="wrap_min", type="integer", doc="Minutes of after-call work.", low=0),
        Column(name="wait_min", type="integer", doc="Minutes waiting for a call.", low=0),
        Column(name="break_min", type="integer", doc="Minutes of break.", required=False, low=0),
        Column(name="visits", type="integer", doc="Field visits.", required=False, low=0),
        Column(name="km", type="number", doc="Kilometres.", required=False, low=0),
    ),
)

TABLES = (CONTACT, PROMISE, DECISION, UNIT, OFFICER, UNIT_DAY)
