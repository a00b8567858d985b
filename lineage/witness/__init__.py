"""A witness of other ledgers: follows their checkpoints and cosigns what is consistent.

Two organisations that witness each other hold each other honest: neither can show one ledger to
the one and another to the other. C2SP tlog-witness and tlog-cosignature.
"""
