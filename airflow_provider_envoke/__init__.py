"""Apache Airflow provider for Envoke, a Canadian e-mail marketing service."""

__version__ = "0.1.0"
