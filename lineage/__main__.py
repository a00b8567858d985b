"""``python -m lineage``."""

from lineage.cli.main import main

main()
