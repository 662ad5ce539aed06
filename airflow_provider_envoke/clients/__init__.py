"""The network: one module for each way of calling. Both speak :mod:`airflow_provider_envoke.core.protocol`."""
