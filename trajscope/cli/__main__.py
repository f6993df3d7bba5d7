"""Lets `python -m trajscope.cli` stand in for the installed command."""

from trajscope.cli import main

if __name__ == "__main__":
    main()
