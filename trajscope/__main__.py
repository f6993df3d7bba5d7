"""`python -m trajscope` is the command, where its script is not on the path."""

from trajscope.cli import main

main()
