"""What Airflow reads about the provider. It imports nothing else of the package."""

from __future__ import annotations

from typing import Any

CONNECTION_FIELDS: dict[str, dict[str, Any]] = {
    "timeout": {
        "label": "Timeout (seconds)",
        "description": "Timeout of one request. Default: 30.",
        "schema": {"type": ["number", "null"], "exclusiveMinimum": 0, "maximum": 600, "default": 30},
    },
    "max_retries": {
        "label": "Retries",
        "description": "How many times a request is sent again after a temporary failure. Default: 5.",
        "schema": {"type": ["integer", "null"], "minimum": 0, "maximum": 20, "default": 5},
    },
    "requests_per_second": {
        "label": "Requests per second",
        "description": "Maximum rate of the requests of one task. Empty: no limit.",
        "schema": {"type": ["number", "null"], "exclusiveMinimum": 0, "maximum": 10000},
    },
    "ca_bundle": {
        "label": "CA bundle",
        "description": "Path of a PEM file with the certificate authorities to trust. Empty: the default ones.",
        "schema": {"type": ["string", "null"]},
    },
}

CONNECTION_BEHAVIOUR: dict[str, Any] = {
    # The port is not hidden, because the form of Airflow 3.3 cannot test a connection with a hidden port.
    "hidden-fields": ["schema"],
    "relabeling": {"login": "API ID", "password": "API key"},
    "placeholders": {
        "host": "https://e1.envoke.com",
        "login": "API ID of your Envoke account",
        "password": "API key of your Envoke account",
    },
}


def get_provider_info() -> dict[str, Any]:
    """Return the provider's metadata, as Airflow's ``provider_info.schema.json`` defines it."""
    return {
        "package-name": "airflow-provider-envoke",
        "name": "Envoke",
        "description": "Keeps the contacts of an Envoke account in sync with a warehouse.",
        "integrations": [
            {
                "integration-name": "Envoke",
                "external-doc-url": "https://support.envoke.com/en/articles/1697196-contact-api-update",
                "tags": ["service"],
            }
        ],
        "operators": [
            {"integration-name": "Envoke", "python-modules": ["airflow_provider_envoke.operators.envoke"]}
        ],
        "sensors": [{"integration-name": "Envoke", "python-modules": ["airflow_provider_envoke.sensors.envoke"]}],
        "triggers": [
            {"integration-name": "Envoke", "python-modules": ["airflow_provider_envoke.triggers.envoke"]}
        ],
        "transfers": [
            {
                "source-integration-name": "Common SQL",  # any database that Airflow has a SQL hook for
                "target-integration-name": "Envoke",
                "python-module": "airflow_provider_envoke.transfers.sql_to_envoke",
            }
        ],
        "hooks": [{"integration-name": "Envoke", "python-modules": ["airflow_provider_envoke.hooks.envoke"]}],
        "connection-types": [
            {
                "connection-type": "envoke",
                "hook-name": "Envoke",
                "hook-class-name": "airflow_provider_envoke.hooks.envoke.EnvokeHook",
                "conn-fields": CONNECTION_FIELDS,
                "ui-field-behaviour": CONNECTION_BEHAVIOUR,
            }
        ],
    }
