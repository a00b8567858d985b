"""Ledger and graph in one transaction: the contract, and one module or folder a backend."""
