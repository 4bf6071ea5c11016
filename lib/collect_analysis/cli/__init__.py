"""`collect`: thin verbs over the library. Data go to standard output, messages to standard error.

Exit codes: 0 done or nothing to do, 1 a run failed, 2 parameters, 3 data, 4 approval or disclosure, 5 environment or busy, 130 and 143
interrupted.
"""

import io
import os
import sys
from collections.abc import Sequence

import click

import collect_analysis
from collect_analysis.book.private_folders import remove_ownerless
from collect_analysis.cli import output
from collect_analysis.cli.checkup import doctor
from collect_analysis.cli.loading import import_sources, sample
from collect_analysis.cli.new import new
from collect_analysis.cli.reading import compare, list_runs, show
from collect_analysis.cli.running import run
from collect_analysis.cli.serving import serve
from collect_analysis.cli.unexpected import refusal_of
from collect_analysis.errors import CollectError

INTERRUPTED = 130


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(collect_analysis.__version__, prog_name="collect")
def collect() -> None:
    """Run the reports of a collections desk, read them, serve them."""


for command in (run, list_runs, show, compare, import_sources, sample, doctor, serve, new):
    collect.add_command(command)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command and end the process with its exit code."""
    # jsonschema imports it if it is there; it costs 1.7 s and no notebook format needs it.
    sys.modules["rfc3987_syntax"] = None  # type: ignore[assignment]
    # Books, quarantine and reports are about persons: whatever is written is its owner's alone, here and in every process started from here.
    os.umask(0o077)
    given = list(sys.argv[1:] if arguments is None else arguments)
    for stream in (sys.stdout, sys.stderr):
        # A terminal that does not know a letter gets its number, not an error.
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    sys.exit(_exit_code(given))


def _exit_code(arguments: list[str]) -> int:
    try:
        remove_ownerless()
        return collect.main(args=arguments, prog_name="collect", standalone_mode=False) or 0
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except (click.Abort, KeyboardInterrupt):
        output.message("interrupted")
        return INTERRUPTED
    except CollectError as error:
        return output.refusal(error, as_json="--json" in arguments)
    except BrokenPipeError:
        # Whoever read our output has had enough; nothing is left to flush at the end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except Exception as error:
        # The last guard: whatever happens, a command ends with a sentence and an exit code.
        return output.refusal(refusal_of(error), as_json="--json" in arguments)
