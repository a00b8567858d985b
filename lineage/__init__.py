"""Lineage: a provenance and metadata store with a query service for machine learning.

The folders are the life of one change, read from top to bottom::

    capture/    something changed somewhere          -> Change
    record/     Change -> entry of the ledger, claims (pure), group commit
    store/      ledger and graph in ONE transaction  sqlite | memory
    query/      GraphQL over what is below
    reproduce/  time travel: pin, check, re-run, verdict
    ownership/  who answers for what; gates
    web/ cli/   faces: the service and the `lineage` command

`model/` holds the values they all speak in; it does no I/O.
"""

__version__ = "0.1.0"
