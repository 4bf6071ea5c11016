#!/usr/bin/env bash
# num2words 0.5.14: in Vietnamese, minus five is written "mười lăm" (fifteen), and 12.05 as "mười hai phẩy năm" (twelve point five).
#
# Behaviour: a negative number is looked up from the end of the list of words up to nineteen, so -n becomes the words of 20 - n. Decimals are
# rounded to two places and read as a whole number, without their noughts; what is less than half a hundredth is dropped. No error down to -20.
# Seen: -1 "mười chín" (19), -5 "mười lăm" (15); 12.05 "mười hai phẩy năm", 12.5 "mười hai phẩy năm mươi", 1.005 "một". English is right in all.
# What follows: amounts in the words of a letter come from whole dong of 0 and more alone; a rate is written in digits; credits name their side.
# Source: num2words/lang_VI.py of 0.5.14, number_to_text and _convert_nn, and what this script prints; negatives reported in 2020, still open:
# https://github.com/savoirfairelinux/num2words/pull/335
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/env"
"$folder/env/bin/python" -m pip install --quiet --disable-pip-version-check num2words==0.5.14 docopt==0.6.2
PYTHONUTF8=1 "$folder/env/bin/python" - <<'PY'
from num2words import num2words

SEEN = {
    15: "mười lăm", -5: "mười lăm", 19: "mười chín", -1: "mười chín",
    12.05: "mười hai phẩy năm", 12.5: "mười hai phẩy năm mươi", 1.005: "một",
}
for number, words in SEEN.items():
    print(number, "|", num2words(number, lang="vi"), "|", num2words(number, lang="en"))
    assert num2words(number, lang="vi") == words
assert num2words(-5, lang="en") == "minus five" and num2words(12.05, lang="en") == "twelve point zero five"
PY
