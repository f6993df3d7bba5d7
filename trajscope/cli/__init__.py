"""The command line. This module only decides who answers: `rail` by itself, every other verb through typer.

A rail is asked before every trial and must answer 2 whatever breaks, so nothing is imported here that its way does not
need: typer, pydantic and the table engines belong to the other verbs.
"""

from __future__ import annotations

import os
import sys


def main() -> None:
    """Run the command line; every failure is one line, and nothing but 0 is a pass."""
    words = [a for a in sys.argv[1:] if a not in ("--debug", "--")]
    if words[:2] == ["rail", "check"]:
        # At once: nothing that runs when Python winds down may change the answer, and winding down takes 10 ms.
        os._exit(_rail(sys.argv[1:]))
    if words[:1] == ["rail"]:
        sys.exit(_rail(sys.argv[1:]))
    from trajscope.cli import app

    app.main()


def _rail(args: list[str]) -> int:
    try:
        from trajscope.cli import rail

        return rail.main(args)
    except BaseException as e:
        # Not even the module that refuses could be had: a broken installation, no memory, an interrupt. Written by
        # hand, because whatever would make this nicer may be what is broken.
        said = f"trajscope: refused (rails): the rail itself failed ({type(e).__name__}); no answer is a refusal\n"
        try:  # noqa: SIM105  # not one more import than there must be
            os.write(2, said.encode("ascii", "replace"))
        except OSError:
            pass
        return 2
