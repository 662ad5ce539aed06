"""
A table's rows into Envoke, sending only what changed. Knows no Airflow: a plain script can call it.

.. code-block:: python

    from airflow_provider_envoke.core.config import EnvokeConfig
    from airflow_provider_envoke.sync import SyncOptions, SyncRun

    config = EnvokeConfig.from_connection(login="API ID", password="API key")
    run = SyncRun(config, SyncOptions(keyfield="email", on_missing="skip"))
    run.run([{"email": "jon@example.com", "city": "Winnipeg"}])
    print(run.report().as_table())
"""

from airflow_provider_envoke.core.options import SyncOptions
from airflow_provider_envoke.sync.run import SyncRun

__all__ = ["SyncOptions", "SyncRun"]
