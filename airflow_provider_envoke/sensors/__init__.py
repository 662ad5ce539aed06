"""The sensor that waits for contacts."""
