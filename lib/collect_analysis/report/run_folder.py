"""What only the run itself reads in its folder: it is gone before the run is published."""

SCRATCH = ".scratch"
# In it: what a run that must begin again hides from the start (`withholding.py`).
WITHHOLD = "withhold.json"
