"""A formatter with an opinion, as a process of its own: whenever a file is saved, one constant of it is set back.

    python formatter.py FILE CONSTANT VALUE

Says a line for every time it did, and ends when its input is closed. Needs nothing but the standard library.
"""

from __future__ import annotations

import os
import re
import select
import sys

EVERY_S = 0.002


def main() -> None:
    """Look at the file until nobody listens any more."""
    path, constant, value = sys.argv[1:4]
    line = re.compile(rb"^(%s = )(.*)$" % constant.encode(), re.MULTILINE)
    while not select.select([sys.stdin], [], [], EVERY_S)[0]:
        with open(path, "rb") as file:  # noqa: PTH123  # pathlib is not worth its import here
            text = file.read()
        new = line.sub(rb"\g<1>" + value.encode(), text)
        if new == text:
            continue
        with open(f"{path}.formatted", "wb") as file:  # noqa: PTH123
            file.write(new)
        os.replace(f"{path}.formatted", path)  # noqa: PTH105
        os.write(1, b"formatted\n")


if __name__ == "__main__":
    main()
