"""Rules, experiments, law, calendar, codes and feeds: what governed the work, with dates."""

from collect_analysis.book.schema import Column, Interval, Table

RULESET = Table(
    name="ruleset",
    grain="one row per rule of a rule set",
    key=("ruleset_id", "rule_id"),
    intervals=(Interval(start="effective_from", end="effective_to"),),
    columns=(
        Column(name="ruleset_id", type="key", doc="Rule set."),
        Column(name="rule_id", type="key", doc="Row."),
        Column(name="seq", type="integer", doc="Order of evaluation.", low=1),
        Column(name="product_code", type="code", doc="Product; empty: any.", required=False),
        Column(name="dpd_min", type="integer", doc="From, inclusive.", required=False, low=0),
        Column(name="dpd_max", type="integer", doc="To, inclusive.", required=False, low=0),
        Column(name="balance_min_minor", type="money", doc="From, inclusive.", required=False),
        Column(name="balance_max_minor", type="money", doc="To, exclusive.", required=False),
        Column(name="score_min", type="number", doc="From, inclusive.", required=False),
        Column(name="score_max", type="number", doc="To, exclusive.", required=False),
        Column(name="segment", type="code", doc="Segment assigned."),
        Column(name="unit_key", type="key", doc="Unit assigned.", required=False),
        Column(name="effective_from", type="date", doc="First day."),
        Column(name="effective_to", type="date", doc="Day after the last; empty while current.", required=False),
        Column(name="rationale", type="text", doc="Why.", required=False),
    ),
)

EXPERIMENT = Table(
    name="experiment",
    grain="one row per experiment and arm",
    key=("experiment_id", "arm"),
    intervals=(Interval(start="starts_on", end="ends_on", end_included=True),),
    columns=(
        Column(name="experiment_id", type="key", doc="Experiment."),
        Column(name="arm", type="code", doc="Arm."),
        Column(name="role", type="code", doc="Role of the arm.", allowed=("champion", "challenger", "holdout")),
        Column(name="share", type="number", doc="Planned share of this arm.", low=0, high=1),
        Column(name="salt", type="key", doc="Salt of the assignment hash.", required=False),
        Column(name="unit_of_assignment", type="code", doc="What was randomised.", allowed=("customer", "account", "officer", "unit")),
        Column(name="starts_on", type="date", doc="First assignment."),
        Column(name="ends_on", type="date", doc="Last assignment.", required=False),
        Column(name="horizon_days", type="integer", doc="Days after assignment at which the primary metric is read.", low=1),
        Column(name="primary_metric", type="code", doc="Pre-registered primary outcome.", required=False),
        Column(name="margin", type="number", doc="Smallest relative effect worth having.", required=False),
        Column(name="prereg_hash", type="key", doc="Hash of the pre-registration.", required=False),
    ),
)

LEGAL_PARAM = Table(
    name="legal_param",
    grain="one row per parameter set, rule and validity",
    key=("set_id", "rule_id", "scope_from"),
    intervals=(Interval(start="scope_from", end="scope_to", of=("set_id", "rule_id")),),
    columns=(
        Column(name="set_id", type="key", doc="Parameter set."),
        Column(name="rule_id", type="key", doc="Rule."),
        Column(name="scope_from", type="date", doc="First day."),
        Column(name="scope_to", type="date", doc="Day after the last; empty while current.", required=False),
        Column(name="limit_value", type="number", doc="Limit.", required=False),
        Column(name="window_from", type="text", doc="Start of the lawful hours, HH:MM:SS.", required=False),
        Column(name="window_to", type="text", doc="End of the lawful hours, HH:MM:SS, inclusive.", required=False),
        Column(name="severity", type="code", doc="Severity.", allowed=("hard", "policy")),
        Column(name="source", type="text", doc="Citation."),
        Column(name="verified_on", type="date", doc="Day somebody last checked the source."),
    ),
)

CALENDAR = Table(
    name="calendar",
    grain="one row per day",
    key=("date",),
    columns=(
        Column(name="date", type="date", doc="The day."),
        Column(name="working_day", type="flag", doc="Working day."),
        Column(name="holiday", type="code", doc="Holiday.", required=False),
        Column(name="tet_offset", type="integer", doc="Days from the first day of the lunar year.", required=False),
        Column(name="salary_window", type="flag", doc="Within the usual salary days.", required=False),
    ),
)

CODE = Table(
    name="code",
    grain="one row per code list and code",
    key=("list", "code"),
    columns=(
        Column(name="list", type="key", doc="Code list."),
        Column(name="code", type="key", doc="Code."),
        Column(name="label_en", type="text", doc="English."),
        Column(name="label_vi", type="text", doc="Vietnamese.", required=False),
    ),
)

FEED_MANIFEST = Table(
    name="feed_manifest",
    grain="one row per delivery of a feed",
    key=("load_id",),
    columns=(
        Column(name="load_id", type="key", doc="Delivery id."),
        Column(name="source", type="code", doc="Feed."),
        Column(name="business_date", type="date", doc="Day the delivery is about."),
        Column(name="expected_ts", type="timestamp", doc="When it was due, local."),
        Column(name="arrived_ts", type="timestamp", doc="When it came, local; empty: never.", required=False),
        Column(name="rows", type="integer", doc="Rows delivered.", required=False, low=0),
        Column(name="control_rows", type="integer", doc="Rows stated by the sender.", required=False, low=0),
        Column(name="amount_minor", type="money", doc="Money delivered.", required=False),
        Column(name="control_minor", type="money", doc="Money stated by the sender.", required=False),
        Column(name="file_hash", type="key", doc="Hash of the delivery.", required=False),
        Column(name="status", type="code", doc="Standing.", allowed=("loaded", "late", "missing", "rejected")),
    ),
)

TABLES = (RULESET, EXPERIMENT, LEGAL_PARAM, CALENDAR, CODE, FEED_MANIFEST)
