"""The connection form: what Airflow's web server reads of the hook and of the provider's metadata."""

from __future__ import annotations

import json
from importlib.resources import files

import jsonschema
import pytest

from airflow_provider_envoke.envoke.config import DEFAULT_MAX_RETRIES, DEFAULT_TIMEOUT_S, EXTRAS, EnvokeConfig
from airflow_provider_envoke.exceptions import EnvokeConfigError
from airflow_provider_envoke.get_provider_info import CONNECTION_FIELDS, get_provider_info
from airflow_provider_envoke.hooks.envoke import EnvokeHook

NO_WTFORMS = "wtforms is not installed: Airflow 3 reads the metadata instead"


def test_the_form_has_a_field_for_each_extra() -> None:
    form_type = pytest.importorskip("wtforms", reason=NO_WTFORMS).Form
    widgets = EnvokeHook.get_connection_form_widgets()
    form = type("ConnectionForm", (form_type,), widgets)()

    assert set(widgets) == set(EXTRAS)
    for name, field in CONNECTION_FIELDS.items():
        assert form[name].label.text == field["label"]
        assert form[name].description == field["description"]
        default = field["schema"].get("default")
        assert form[name].data == (str(default) if default and "number" in field["schema"]["type"] else default)


def test_the_form_accepts_empty_fields_and_returns_what_was_entered() -> None:
    form_type = pytest.importorskip("wtforms", reason=NO_WTFORMS).Form
    from werkzeug.datastructures import MultiDict

    form_class = type("ConnectionForm", (form_type,), EnvokeHook.get_connection_form_widgets())
    empty = form_class(MultiDict(dict.fromkeys(EXTRAS, "")))
    filled = form_class(MultiDict({"timeout": "2.5", "max_retries": "0", "requests_per_second": "7"}))

    for form in (empty, filled):
        assert form.validate(), form.errors
    extra = filled.data | {"ca_bundle": empty.data["ca_bundle"]}
    config = EnvokeConfig.from_connection(login="a", password="b", extra=extra)
    assert (config.timeout_s, config.max_retries, config.requests_per_second) == (2.5, 0, 7.0)
    assert EnvokeConfig.from_connection(login="a", password="b", extra=empty.data).timeout_s == DEFAULT_TIMEOUT_S


def test_the_form_has_the_names_that_envoke_uses() -> None:
    behaviour = EnvokeHook.get_ui_field_behaviour()

    assert set(behaviour) == {"hidden_fields", "relabeling", "placeholders"}
    assert behaviour["relabeling"] == {"login": "API ID", "password": "API key"}
    assert behaviour["placeholders"]["host"] == "https://e1.envoke.com"
    assert "host" not in behaviour["hidden_fields"]
    assert "extra" not in behaviour["hidden_fields"]


def test_the_metadata_agrees_with_the_hook_and_its_extras() -> None:
    (connection_type,) = get_provider_info()["connection-types"]

    assert connection_type["connection-type"] == EnvokeHook.conn_type
    assert connection_type["hook-name"] == EnvokeHook.hook_name
    assert connection_type["hook-class-name"] == f"{EnvokeHook.__module__}.{EnvokeHook.__qualname__}"
    assert set(connection_type["conn-fields"]) == set(EXTRAS)


def test_the_metadata_has_the_defaults_and_bounds_of_the_configuration() -> None:
    def accepts(name: str, value: object) -> bool:
        try:
            EnvokeConfig.from_connection(login="a", password="b", extra={name: value})
        except EnvokeConfigError:
            return False
        return True

    schemas = {name: field["schema"] for name, field in CONNECTION_FIELDS.items()}
    assert schemas["timeout"]["default"] == DEFAULT_TIMEOUT_S
    assert schemas["max_retries"]["default"] == DEFAULT_MAX_RETRIES
    for name, schema in schemas.items():
        assert "null" in schema["type"], "a field of the form may stay empty"
        assert accepts(name, None)
        if "maximum" in schema:
            assert accepts(name, schema["maximum"])
            assert not accepts(name, schema["maximum"] + 1)
        if "minimum" in schema:
            assert accepts(name, schema["minimum"])
            assert not accepts(name, schema["minimum"] - 1)
        if "exclusiveMinimum" in schema:
            assert not accepts(name, schema["exclusiveMinimum"])


def test_the_metadata_follows_airflows_schema() -> None:
    schema = json.loads(files("airflow").joinpath("provider_info.schema.json").read_text())

    jsonschema.validate(get_provider_info(), schema=schema)
