"""What Airflow reads about the provider, without importing the rest of it."""

from __future__ import annotations

from typing import Any

CONNECTION_FIELDS: dict[str, dict[str, Any]] = {
    "timeout": {
        "label": "Timeout (seconds)",
        "description": "How long one request may take. Default 30.",
        "schema": {"type": ["number", "null"], "exclusiveMinimum": 0, "maximum": 600, "default": 30},
    },
    "max_retries": {
        "label": "Retries",
        "description": "How often a request is sent again after a failure that may pass. Default 5.",
        "schema": {"type": ["integer", "null"], "minimum": 0, "maximum": 20, "default": 5},
    },
    "requests_per_second": {
        "label": "Requests per second",
        "description": "Limit on the rate of requests of one task. Empty: no limit.",
        "schema": {"type": ["number", "null"], "exclusiveMinimum": 0, "maximum": 10000},
    },
    "ca_bundle": {
        "label": "CA bundle",
        "description": "Path of a PEM file with the certificate authorities to trust. Empty: the usual ones.",
        "schema": {"type": ["string", "null"]},
    },
}

CONNECTION_BEHAVIOUR: dict[str, Any] = {
    # The port stays visible: the form of Airflow 3.3 cannot test a connection whose port is hidden.
    "hidden-fields": ["schema"],
    "relabeling": {"login": "API ID", "password": "API key"},
    "placeholders": {
        "host": "https://e1.envoke.com",
        "login": "API ID of your Envoke account",
        "password": "API key of your Envoke account",
    },
}


def get_provider_info() -> dict[str, Any]:
    """Return the provider's metadata, in the shape of Airflow's ``provider_info.schema.json``."""
    return {
        "package-name": "airflow-provider-envoke",
        "name": "Envoke",
        "description": "Keeps the contacts of an Envoke account in line with a warehouse.",
        "integrations": [
            {
                "integration-name": "Envoke",
                "external-doc-url": "https://support.envoke.com/en/articles/1697196-contact-api-update",
                "tags": ["service"],
            }
        ],
        "operators": [
            {
                "integration-name": "Envoke",
                "python-modules": ["airflow_provider_envoke.operators.envoke"],
            }
        ],
        "hooks": [
            {"integration-name": "Envoke", "python-modules": ["airflow_provider_envoke.hooks.envoke"]},
        ],
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
