"""The debts: accounts, their states, money in, arrangements, court stages."""

from collect_analysis.book.schema import Column, Interval, Table

# How an account stands at a month end. Every status but `open` is an exit and is final.
STATUSES = ("open", "paid_off", "settled", "written_off", "recalled", "sold")
# A reversal may take back a reversal: a bounced cheque paid after all. So many links at most lie between a reversal and the payment.
MOST_LINKS = 8
DEBT_STATUSES = ("pre_due", "overdue", "npl", "off_balance", "sold")

ACCOUNT = Table(
    name="account",
    grain="one row per debt",
    key=("account_key",),
    known_on="open_date",
    columns=(
        Column(name="account_key", type="key", doc="Pseudonym of the debt.", personal=True),
        Column(name="customer_key", type="key", doc="Pseudonym of the debtor; one person may owe several debts.", personal=True),
        Column(name="portfolio_code", type="code", doc="Portfolio as contracted with the debt transferor."),
        Column(name="product_code", type="code", doc="card, cash_loan, overdraft, or the transferor's own code."),
        Column(name="debt_status", type="code", doc="Standing of the debt when it was handed over.", allowed=DEBT_STATUSES),
        Column(name="open_date", type="date", doc="Day the debt entered the book."),
        Column(name="original_minor", type="money", doc="Balance on entry.", low=0),
        Column(name="currency", type="code", doc="ISO 4217 code."),
        Column(name="region_code", type="code", doc="Province or region.", required=False),
        Column(name="tz", type="code", doc="IANA zone of the debtor.", required=False),
        Column(name="origin_channel", type="code", doc="Where the debt was sold.", required=False),
        Column(name="score_at_entry", type="number", doc="Behaviour score on entry.", required=False),
        Column(name="is_restructured", type="flag", doc="Restructured before entry."),
        Column(name="legal_entity", type="code", doc="Creditor of record.", required=False),
    ),
)

STATE = Table(
    name="state",
    grain="one row per account and interval in which nothing changed",
    key=("account_key", "valid_from"),
    known_on="valid_from",
    intervals=(Interval(start="valid_from", end="valid_to", of=("account_key",)),),
    columns=(
        Column(name="account_key", type="key", doc="The debt.", personal=True),
        Column(name="valid_from", type="date", doc="First day."),
        Column(name="valid_to", type="date", doc="Day after the last; empty while current.", required=False),
        Column(name="dpd", type="integer", doc="Contractual days past due.", low=0, high=9999),
        Column(name="bucket", type="integer", doc="Bucket in the collection system: 0 current, 1 = 1-30 DPD, and so on.", low=0, high=20),
        Column(name="reg_group", type="integer", doc="Regulatory debt group 1-5.", required=False, low=1, high=5),
        Column(name="principal_minor", type="money", doc="Principal owed.", low=0),
        Column(name="interest_minor", type="money", doc="Interest owed.", low=0),
        Column(name="fees_minor", type="money", doc="Fees owed.", low=0),
        Column(name="score", type="number", doc="Current behaviour score.", required=False),
        Column(name="contactability", type="code", doc="Contactability class.", required=False),
        Column(name="consent", type="code", doc="Consent class of the contact points.", required=False),
        Column(name="hold_code", type="code", doc="Reason why collection is on hold.", required=False),
    ),
)

MONTH_END = Table(
    name="month_end",
    grain="one row per account and month end, from entry to the month of its exit",
    key=("account_key", "month_end"),
    known_on="month_end",
    every_month=True,
    columns=(
        Column(name="account_key", type="key", doc="The debt.", personal=True),
        Column(name="month_end", type="date", doc="Last day of the month.", edge="end"),
        Column(name="status", type="code", doc="open, or how the account left in this month.", allowed=STATUSES),
        Column(name="dpd", type="integer", doc="Contractual days past due.", required=False, low=0, high=9999),
        Column(name="bucket", type="integer", doc="0 current, 1 = 1-30 DPD, 2 = 31-60, ...", low=0, high=20),
        Column(name="reg_group", type="integer", doc="Regulatory debt group 1-5.", required=False, low=1, high=5),
        Column(name="principal_minor", type="money", doc="Principal owed at close.", required=False, low=0),
        Column(name="interest_minor", type="money", doc="Interest owed at close.", required=False, low=0),
        Column(name="fees_minor", type="money", doc="Fees owed at close.", required=False, low=0),
        Column(name="balance_minor", type="money", doc="Principal + interest + fees at close; negative: overpaid."),
        Column(name="score", type="number", doc="Behaviour score at close.", required=False),
        Column(name="reaged", type="flag", doc="Made current by restructuring, not by payment, in this month.", required=False),
        Column(name="hold_code", type="code", doc="Reason why collection is on hold.", required=False),
        Column(name="unit_key", type="key", doc="Team or agency that holds the account at close.", required=False),
        Column(name="officer_key", type="key", doc="Officer who holds the account at close.", required=False, personal=True),
    ),
)

PAYMENT = Table(
    name="payment",
    grain="one row per posting; a reversal is a row of its own",
    key=("payment_key",),
    known_on="value_date",
    every_month=True,
    columns=(
        Column(name="payment_key", type="key", doc="Posting id."),
        Column(name="account_key", type="key", doc="The debt.", personal=True),
        Column(name="amount_minor", type="money", doc="Positive for money in; a reversal holds what it takes back, of opposite sign."),
        Column(name="currency", type="code", doc="ISO 4217 code."),
        Column(name="value_date", type="date", doc="Day the money counts."),
        Column(name="posted_utc", type="timestamp", doc="When it was posted.", required=False),
        Column(name="channel", type="code", doc="Bank transfer, counter, auto debit, wallet, agency remittance, ...", required=False),
        Column(name="source", type="code", doc="Who reported it.", required=False, allowed=("transferor", "amc", "agency", "auto")),
        Column(name="reference", type="text", doc="Payment reference.", required=False, personal=True),
        Column(name="reversal_of", type="key", doc="Posting that this row takes back, in whole or in part.", required=False),
        Column(name="remitted_on", type="date", doc="Day an agency passed the money on; empty: not yet.", required=False),
        Column(name="eligible", type="flag", doc="Counts under the attribution rule of the contract (false: duplicate, outside mandate)."),
    ),
)

ARRANGEMENT = Table(
    name="arrangement",
    grain="one row per settlement, waiver, restructuring or plan",
    key=("arrangement_key",),
    known_on="from_date",
    intervals=(Interval(start="from_date", end="to_date", end_included=True),),
    columns=(
        Column(name="arrangement_key", type="key", doc="Arrangement id."),
        Column(name="account_key", type="key", doc="The debt.", personal=True),
        Column(name="type", type="code", doc="Kind.", allowed=("settlement", "waiver", "restructure", "plan")),
        Column(name="from_date", type="date", doc="First day."),
        Column(name="to_date", type="date", doc="Last day.", required=False),
        Column(name="covered_minor", type="money", doc="Balance covered.", low=0),
        Column(name="settled_minor", type="money", doc="Amount agreed.", required=False, low=0),
        Column(name="waived_principal_minor", type="money", doc="Principal waived.", required=False, low=0),
        Column(name="waived_interest_minor", type="money", doc="Interest waived.", required=False, low=0),
        Column(name="waived_fees_minor", type="money", doc="Fees waived.", required=False, low=0),
        Column(name="approver_role", type="code", doc="Role that approved.", required=False),
        Column(name="n_instalments", type="integer", doc="Equal monthly instalments of a plan.", required=False, low=1),
        Column(name="status", type="code", doc="Standing.", allowed=("active", "kept", "broken", "cancelled")),
        Column(name="status_date", type="date", doc="Day of that standing.", required=False),
    ),
)

LEGAL_STAGE = Table(
    name="legal_stage",
    grain="one row per account and step of the court route",
    key=("account_key", "seq"),
    known_on="from_date",
    intervals=(Interval(start="from_date", end="to_date", end_included=True),),
    columns=(
        Column(name="account_key", type="key", doc="The debt.", personal=True),
        Column(name="seq", type="integer", doc="Order of the step.", low=1),
        Column(name="stage", type="code", doc="Step.", allowed=("letter", "response", "filed", "accepted", "judgment", "enforced")),
        Column(name="from_date", type="date", doc="First day."),
        Column(name="to_date", type="date", doc="Last day.", required=False),
        Column(name="cost_minor", type="money", doc="Cost of the step.", required=False, low=0),
        Column(name="court_region", type="code", doc="Region of the court.", required=False),
        Column(name="outcome", type="code", doc="Outcome.", required=False),
    ),
)

TABLES = (ACCOUNT, STATE, MONTH_END, PAYMENT, ARRANGEMENT, LEGAL_STAGE)
