"""Airflow connection -> configuration -> client."""
