"""What Envoke documents, as pure functions and values: no Airflow, no network, no files."""
