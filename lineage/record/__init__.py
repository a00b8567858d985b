"""Entry to claims (pure), the recorder, intake, verification, rebuild and backup."""
