"""The story of a new user, played with real parts: ``make demo``."""
