"""The `lineage` command: one module a group of commands, rendering only here."""
