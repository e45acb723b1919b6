"""Where an export's bytes go."""
