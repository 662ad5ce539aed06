"""The network: one request at a time, or many at once."""
