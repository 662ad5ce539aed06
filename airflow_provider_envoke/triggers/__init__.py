"""The trigger that waits for contacts."""
