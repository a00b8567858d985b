"""OpenLineage events: what is understood of them, what is refused and why."""
