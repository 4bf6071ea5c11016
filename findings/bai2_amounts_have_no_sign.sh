#!/usr/bin/env bash
# bai2 0.15.0: a returned cheque adds to the day, and a minus that stands in the file stays beside a credit code.
#
# Behaviour: amounts of detail records (16) come as they stand; whether money came or went is told by the type code alone, as enum beside it.
# A minus in the amount of a credit code is kept and not remarked on.
# Seen: credit 165 of 2,000,000 and debit 475 of 300 add up to 2,000,300; signed by type code 1,999,700 = closing - opening.
# What follows: sign by the type code's direction, hold the sum against the balances of the account, refuse a minus beside a code of its own direction.
# Source: bai2 0.15.0, parsers and constants (TypeCodes), and what this script prints.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/env"
"$folder/env/bin/python" -m pip install --quiet --disable-pip-version-check bai2==0.15.0
"$folder/env/bin/python" - <<'PY'
from bai2 import bai2

FILE = """01,BANK,AMC,260630,0600,1,80,10,2/
02,AMC,BANK,1,260629,,VND,2/
03,0010012345,VND,010,+50000000,,,015,51999700,,/
16,165,2000000,Z,REF001,CUST1,INSTALMENT/
16,475,300,0,,,RETURNED/
49,104000000,4/
98,104000000,1,6/
99,104000000,1,8/
"""


def details(text):
    account = bai2.parse_from_string(text, check_integrity=False).children[0].children[0]
    return [(item.type_code.code, item.type_code.transaction.value, item.amount) for item in account.children]


opening, closing = 50_000_000, 51_999_700
rows = details(FILE)
total = sum(amount for _, _, amount in rows)
signed = sum(amount if way == "credit" else -amount for _, way, amount in rows)
print(rows)
print("closing - opening", closing - opening, " sum of amounts", total, " signed by type code", signed)
assert rows == [("165", "credit", 2_000_000), ("475", "debit", 300)]
assert total == 2_000_300 and signed == closing - opening
minus = details(FILE.replace("16,475,300", "16,165,-300"))
print(minus)
assert minus[1] == ("165", "credit", -300)
PY
