"""A stand-in for the Envoke API that keeps contacts in memory: for demos and for testing your DAGs."""
