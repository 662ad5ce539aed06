"""What the API says: pure functions and values, no Airflow, no network, no files."""
