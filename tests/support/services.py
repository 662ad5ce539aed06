"""Connections to PostgreSQL, MariaDB and Redis. Tests that need them are skipped without them, but fail in CI."""

from __future__ import annotations

import os
from typing import Any, NoReturn

import pytest

POSTGRES = {
    "host": os.environ.get("PGHOST", "127.0.0.1"),
    "port": int(os.environ.get("PGPORT", "5432")),
    "login": os.environ.get("PGUSER", "postgres"),
    "schema": os.environ.get("PGDATABASE", "postgres"),
}
MARIADB = {
    "host": os.environ.get("MYSQL_HOST", "127.0.0.1"),
    "port": int(os.environ.get("MYSQL_TCP_PORT", "3306")),
    "login": os.environ.get("MYSQL_USER", "root"),
    "password": os.environ.get("MYSQL_PWD", ""),
}
REDIS_URL = os.environ.get("REDIS_URL", "redis://127.0.0.1:6379/0")


def connect_to_postgres(database: str = str(POSTGRES["schema"])) -> Any:
    """Return a psycopg2 connection in autocommit mode."""
    psycopg2 = pytest.importorskip("psycopg2")
    parts = {"host": POSTGRES["host"], "port": POSTGRES["port"], "user": POSTGRES["login"]}
    try:
        connection = psycopg2.connect(dbname=database, **parts)
    except psycopg2.OperationalError as error:
        _skip_or_fail(f"PostgreSQL is not running at {POSTGRES['host']}:{POSTGRES['port']}", error)
    connection.autocommit = True
    return connection


def connect_to_mariadb() -> Any:
    """Return a connection of mysql-connector-python in autocommit mode."""
    connector = pytest.importorskip("mysql.connector")
    parts = {"user": MARIADB["login"], "password": MARIADB["password"]}
    try:
        return connector.connect(host=MARIADB["host"], port=MARIADB["port"], **parts, autocommit=True)
    except connector.Error as error:
        _skip_or_fail(f"MariaDB is not running at {MARIADB['host']}:{MARIADB['port']}", error)


def connect_to_redis() -> Any:
    """Return a Redis client."""
    redis = pytest.importorskip("redis")
    client = redis.Redis.from_url(REDIS_URL)
    try:
        client.ping()
    except redis.ConnectionError as error:
        _skip_or_fail(f"Redis is not running at {REDIS_URL}", error)
    return client


def _skip_or_fail(what: str, error: Exception) -> NoReturn:
    if os.environ.get("CI"):
        raise error
    pytest.skip(f"{what}: {error}")
