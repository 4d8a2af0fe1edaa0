"""What an operator installs: dashboard, alerts, unit, container file, chart; as data."""
