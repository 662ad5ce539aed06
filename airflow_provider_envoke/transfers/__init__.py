"""Transfers: from a database into Envoke."""
