"""
What a worker calls itself in the task instances that it runs.

Workers import this (``AIRFLOW__CORE__HOSTNAME_CALLABLE``): on one machine all of them would have the same name.
"""

import os


def worker_name() -> str:
    """Return the name that the test gave it."""
    return os.environ["WORKER_NAME"]
