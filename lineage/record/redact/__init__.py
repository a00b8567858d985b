"""Redaction: what was recorded of somebody or by mistake is erased, wherever the product has it."""
