"""`python -m mrs.cli`."""

from mrs.cli import main

main()
