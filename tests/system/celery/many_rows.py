"""20,000 customers in PostgreSQL, and their Envoke contacts, of which one in 49 differs."""

from __future__ import annotations

import json
from collections import Counter
from contextlib import closing
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

from example_dags.envoke_sharded_sync import SHARDS
from tests.support import customers
from tests.support.services import connect_to_postgres

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tests.support.customers import Row

ROWS = 20_000
DIFFER = range(49, ROWS + 1, 49)  # 49 and 4 have no common divisor, so every shard has the same number of them
SHARD_ROWS, SHARD_DIFFER = ROWS // SHARDS, len(DIFFER) // SHARDS
EMAILS = [f"p{number}@example.com" for number in range(1, ROWS + 1)]

CITY = "Trois-Rivières"


def contacts() -> list[Row]:
    """Return the contacts; their ids are the customers' numbers, from which the shard follows."""
    return [
        {"id": number, "email": email, "first_name": "Zoé", "city": "Laval" if number in DIFFER else CITY}
        for number, email in enumerate(EMAILS, 1)
    ]


def fill(database: str) -> None:
    """Create and fill the table ``customers`` in a PostgreSQL database."""
    with closing(connect_to_postgres(database)) as connection, connection.cursor() as cursor:
        cursor.execute(customers.TABLE)
        cursor.execute(
            "INSERT INTO customers (customer_id, email, first_name, city) "
            "SELECT 'C-' || lpad(number::text, 5, '0'), 'p' || number || '@example.com', 'Zoé', %s "
            "FROM generate_series(1, %s) AS number",
            [CITY, ROWS],
        )


def reads(requests: Iterable[Row]) -> Counter[str]:
    """Return email address -> how often its contact was read."""
    return Counter(
        value
        for request in requests
        if request["method"] == "GET"
        for name, value in parse_qsl(request["query"])
        if name.startswith("filter[email]")
    )


def written(requests: Iterable[Row]) -> list[tuple[int, dict[str, Any]]]:
    """Return the id and the new values of every applied update, in order."""
    return [
        (int(request["path"].rpartition("/")[2]), json.loads(request["body"]))
        for request in requests
        if (request["method"], request["status"]) == ("PATCH", 200)
    ]


def written_by_shard(requests: Iterable[Row]) -> Counter[int]:
    """Return shard -> how many updates of its contacts were applied."""
    return Counter(number % SHARDS for number, _ in written(requests))


def before_a_retry(requests: Iterable[Row]) -> list[Row]:
    """Return the requests up to the one that reads a contact again, as the retry of a shard does."""
    seen: Counter[str] = Counter()
    first = []
    for request in requests:
        seen.update(reads([request]))
        if seen and max(seen.values()) > 1:
            break
        first.append(request)
    return first
