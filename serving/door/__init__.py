"""Who may ask what: requests, tenants and rates, before any work."""
