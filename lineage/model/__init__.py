"""Values: ids, names, times, claims, changes. Nothing here reads a clock, a file or a store."""
