"""``python -m convqa`` is the same as ``convqa``."""

from convqa.cli import main

main()
