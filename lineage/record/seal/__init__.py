"""Sealing: signed checkpoints, their keys, where they are published, and what they forbid."""
