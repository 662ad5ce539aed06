"""Its description says where Airflow has the provider from."""

from __future__ import annotations

from airflow.providers.common.compat.sdk import DAG

import airflow_provider_envoke

with DAG("system_where", schedule=None, description=airflow_provider_envoke.__file__) as dag:
    pass
