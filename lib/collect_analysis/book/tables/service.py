"""Service, quality, learning and plans: tickets, QA, training, targets, costs, invoices of partners."""

from collect_analysis.book.schema import Column, Interval, Table

TICKET = Table(
    name="ticket",
    grain="one row per complaint, dispute, transferor feedback, data-subject request or incident",
    key=("ticket_key",),
    known_on="opened_ts",
    intervals=(
        Interval(start="opened_ts", end="closed_ts", end_included=True),
        Interval(start="opened_ts", end="due_ts", end_included=True),
    ),
    columns=(
        Column(name="ticket_key", type="key", doc="Ticket id."),
        Column(name="type", type="code", doc="Kind.", allowed=("complaint", "dispute", "transferor_feedback", "data_subject", "incident")),
        Column(name="opened_ts", type="timestamp", doc="When opened, local."),
        Column(name="due_ts", type="timestamp", doc="When due under the service level, local."),
        Column(name="closed_ts", type="timestamp", doc="When closed, local; empty while open.", required=False),
        Column(name="owner_side", type="code", doc="Who must act.", allowed=("amc", "transferor", "agency")),
        Column(name="account_key", type="key", doc="The debt, if any.", required=False, personal=True),
        Column(name="unit_key", type="key", doc="Team or agency concerned, if any.", required=False),
        Column(name="amount_minor", type="money", doc="Money at stake.", required=False),
        Column(name="root_cause", type="code", doc="Root cause.", required=False),
        Column(name="upheld", type="flag", doc="Found justified.", required=False),
        Column(name="reopened", type="flag", doc="Opened again after closing.", required=False),
    ),
)

QA = Table(
    name="qa",
    grain="one row per assessed contact and assessor",
    key=("qa_key",),
    known_on="assessed_on",
    columns=(
        Column(name="qa_key", type="key", doc="Assessment id."),
        Column(name="event_key", type="key", doc="Contact assessed."),
        Column(name="officer_key", type="key", doc="Officer assessed.", required=False, personal=True),
        Column(name="unit_key", type="key", doc="Team or agency.", required=False),
        Column(name="assessor_key", type="key", doc="Assessor.", personal=True),
        Column(name="assessed_on", type="date", doc="Day of assessment."),
        Column(name="form_version", type="code", doc="Form."),
        Column(name="score", type="number", doc="Share of items passed.", low=0, high=1),
        Column(name="critical_fail", type="flag", doc="A critical item failed."),
        Column(name="sampled_weight", type="number", doc="Contacts that this sampled one stands for.", required=False, low=0),
    ),
)

TRAINING = Table(
    name="training",
    grain="one row per officer and course",
    key=("officer_key", "course_id"),
    known_on="assigned_date",
    columns=(
        Column(name="officer_key", type="key", doc="The officer.", personal=True),
        Column(name="course_id", type="key", doc="Course."),
        Column(name="wave", type="code", doc="Wave.", required=False),
        Column(name="assigned_date", type="date", doc="Day assigned."),
        Column(name="attended", type="flag", doc="Attended.", required=False),
        Column(name="pre_score", type="number", doc="Test before.", required=False),
        Column(name="post_score", type="number", doc="Test after.", required=False),
        Column(name="assigned_why", type="code", doc="How the officer was chosen.", required=False),
    ),
)

TARGET = Table(
    name="target",
    grain="one row per scope, period, KPI and version",
    key=("scope_type", "scope_key", "period_start", "kpi", "version"),
    intervals=(Interval(start="period_start", end="period_end", end_included=True),),
    columns=(
        Column(name="scope_type", type="code", doc="Grain.", allowed=("company", "portfolio", "sub_function", "unit", "officer")),
        Column(name="scope_key", type="key", doc="Portfolio code, sub-function, unit or officer; `all` for the company."),
        Column(name="period_start", type="date", doc="First day.", edge="start"),
        Column(name="period_end", type="date", doc="Last day.", edge="end"),
        Column(name="kpi", type="key", doc="KPI id."),
        Column(name="version", type="integer", doc="Version; the highest approved one counts.", low=1),
        Column(name="value", type="number", doc="Target, in the KPI's unit (money in minor units)."),
        Column(name="p50", type="number", doc="Median of the forecast.", required=False),
        Column(name="p80", type="number", doc="80 % quantile of the forecast.", required=False),
        Column(name="status", type="code", doc="Standing.", allowed=("draft", "approved", "superseded")),
        Column(name="approver_role", type="code", doc="Role that signed.", required=False),
    ),
)

TARIFF = Table(
    name="tariff",
    grain="one row per tariff, item, tier and validity",
    key=("tariff_id", "item", "tier_from", "valid_from"),
    intervals=(Interval(start="valid_from", end="valid_to", of=("tariff_id", "item", "tier_from")),),
    columns=(
        Column(name="tariff_id", type="key", doc="Tariff."),
        Column(name="kind", type="code", doc="What it prices.", allowed=("channel_event", "officer_minute", "commission", "tax")),
        Column(name="item", type="code", doc="Channel, role, or `collected` for commission."),
        Column(name="tier_from", type="number", doc="Lower end of the tier: months on placement for commission, else 0.", low=0),
        Column(name="valid_from", type="date", doc="First day."),
        Column(name="valid_to", type="date", doc="Day after the last; empty while current.", required=False),
        Column(name="amount_minor", type="money", doc="Price per event or minute.", required=False, low=0),
        Column(name="rate", type="number", doc="Share of the amount.", required=False, low=0, high=1),
        Column(name="currency", type="code", doc="ISO 4217 code."),
    ),
)

INVOICE_LINE = Table(
    name="invoice_line",
    grain="one row per line of a partner's invoice: one payment, or the payments of one commission tier together",
    key=("invoice_id", "line_no"),
    known_on="issued_on",
    intervals=(Interval(start="period_start", end="period_end", end_included=True),),
    columns=(
        Column(name="invoice_id", type="key", doc="Number of the invoice, of one partner and one period."),
        Column(name="line_no", type="integer", doc="Number of the line on the invoice.", low=1),
        Column(name="unit_key", type="key", doc="The partner that bills; its name may change, its key does not."),
        Column(name="period_start", type="date", doc="First day billed for."),
        Column(name="period_end", type="date", doc="Last day billed for."),
        Column(name="issued_on", type="date", doc="Day of issue."),
        Column(name="payment_key", type="key", doc="The posting billed; empty: the line bills a whole tier.", required=False),
        Column(name="tier_from", type="number", doc="Lower end of the tier a whole-tier line bills.", required=False, low=0),
        Column(name="base_minor", type="money", doc="Collected amount the commission is charged on; negative on a credit."),
        Column(name="rate", type="number", doc="Commission rate charged.", low=0, high=1),
        Column(name="commission_minor", type="money", doc="Commission charged."),
        Column(name="tax_minor", type="money", doc="Tax charged on the commission."),
        Column(
            name="invoice_total_minor", type="money", doc="Total at the foot of the invoice, the same on all its lines.", required=False
        ),
        Column(name="currency", type="code", doc="ISO 4217 code."),
    ),
)

TABLES = (TICKET, QA, TRAINING, TARGET, TARIFF, INVOICE_LINE)
