"""`python -m collect_analysis.cli`."""

from collect_analysis.cli import main

main()
