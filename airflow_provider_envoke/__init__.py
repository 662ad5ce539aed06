"""Apache Airflow provider for Envoke, a Canadian email marketing service."""

__version__ = "0.1.0"
