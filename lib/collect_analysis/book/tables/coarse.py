"""Data at a coarser grain, where that is all a shop has; the same analyses read it."""

from collect_analysis.book.schema import Column, Interval, Table

UNIT_PERIOD = Table(
    name="unit_period",
    grain="one row per agency or team and period",
    key=("unit_key", "period_start"),
    known_on="period_end",
    open_prefixes=("collected_",),
    intervals=(Interval(start="period_start", end="period_end", of=("unit_key",), end_included=True),),
    columns=(
        Column(name="unit_key", type="key", doc="Unit id, after name variants were joined."),
        Column(name="unit_name", type="text", doc="Name on pages.", required=False),
        Column(name="period_start", type="date", doc="First day.", edge="start"),
        Column(name="period_end", type="date", doc="Last day.", edge="end"),
        Column(name="opening_minor", type="money", doc="Inventory at the start; empty: new unit.", required=False, low=0),
        Column(name="placed_minor", type="money", doc="Placed in the period; empty: nothing placed.", required=False, low=0),
        Column(name="placed_accounts", type="integer", doc="Accounts placed.", required=False, low=0),
        Column(name="collected_minor", type="money", doc="Collected in the period; `collected_<component>_minor` columns are its parts."),
        Column(name="currency", type="code", doc="ISO 4217 code."),
        Column(name="is_new", type="flag", doc="The source marks the unit as new.", required=False),
    ),
)

COHORT = Table(
    name="cohort",
    grain="one row per assigned account or customer of a strategy review",
    key=("experiment_id", "subject_key"),
    known_on="assigned_on",
    open_prefixes=("outcome_", "covariate_", "dose_"),
    columns=(
        Column(name="experiment_id", type="key", doc="Experiment."),
        Column(name="subject_key", type="key", doc="What was assigned: account, customer or household.", personal=True),
        Column(name="customer_key", type="key", doc="The person; empty: the subject itself.", required=False, personal=True),
        Column(name="cluster_key", type="key", doc="Cluster of assignment or dependence.", required=False, personal=True),
        Column(name="arm", type="code", doc="Arm assigned."),
        Column(name="assigned_on", type="date", doc="Day of assignment.", required=False),
        Column(name="stratum", type="code", doc="Stratum of assignment.", required=False),
        Column(name="propensity", type="number", doc="Probability of this arm; empty: not logged.", required=False, low=0, high=1),
        Column(name="running_value", type="number", doc="Running variable of a cut-off rule.", required=False),
        Column(name="first_treated_on", type="date", doc="Day the rule of the subject's cluster changed; empty: never.", required=False),
        Column(name="event_on", type="date", doc="Day of what the outcome counts (first payment, cure); empty: none.", required=False),
        Column(name="exit_days", type="integer", doc="Days from assignment to the end of observation.", required=False, low=0),
        Column(name="exit_cause", type="code", doc="How observation ended: paid, recalled, ...; censored: still open.", required=False),
    ),
)

TABLES = (UNIT_PERIOD, COHORT)
