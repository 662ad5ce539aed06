"""A stand-in of the Envoke API that holds state: for demos, and for people who test their DAGs."""
