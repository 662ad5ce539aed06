"""
What a worker calls itself in the task instances that it runs.

Workers import this (``AIRFLOW__CORE__HOSTNAME_CALLABLE``): on one machine the host's name would be the same for all.
"""

import os


def worker_name() -> str:
    """Return the name that the test gave it."""
    return os.environ["WORKER_NAME"]
