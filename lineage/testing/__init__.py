"""Suites for authors of store backends, and what they are made of.

``store_suite`` says with examples what a store must do, ``store_laws`` with random histories; both
take a factory of empty stores. ``plain`` is the interpreter they use: bodies list their claims.
"""
