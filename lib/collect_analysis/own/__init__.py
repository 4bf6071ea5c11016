"""Report kinds of an analyst's own: the folder that `COLLECT_KINDS` names is this room, its `<kind>/` is `collect_analysis.own.<kind>`."""

import os
from pathlib import Path

# Absolute, for a run works in its own folder.
__path__ = [str(Path(os.environ["COLLECT_KINDS"]).absolute())] if os.environ.get("COLLECT_KINDS") else []
