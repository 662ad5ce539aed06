"""Twenty thousand customers in PostgreSQL, and an account of Envoke in which one contact in 49 differs."""

from __future__ import annotations

import json
from collections import Counter
from contextlib import closing
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

from demo import customers
from example_dags.envoke_sharded_sync import SHARDS
from tests.services import connect_to_postgres

if TYPE_CHECKING:
    from collections.abc import Iterable

    from demo.customers import Row

ROWS = 20_000
DIFFER = range(49, ROWS + 1, 49)  # 49 and 4 have no divisor in common: as many of them in every shard
SHARD_ROWS, SHARD_DIFFER = ROWS // SHARDS, len(DIFFER) // SHARDS
EMAILS = [f"p{number}@example.com" for number in range(1, ROWS + 1)]

CITY = "Trois-Rivières"


def contacts() -> list[Row]:
    """What Envoke knows: the contact's id is the customer's number, so its shard can be told."""
    return [
        {"id": number, "email": email, "first_name": "Zoé", "city": "Laval" if number in DIFFER else CITY}
        for number, email in enumerate(EMAILS, 1)
    ]


def fill(database: str) -> None:
    """Create the warehouse's table in a database of PostgreSQL."""
    with closing(connect_to_postgres(database)) as connection, connection.cursor() as cursor:
        cursor.execute(customers.TABLE)
        cursor.execute(
            "INSERT INTO customers (customer_id, email, first_name, city) "
            "SELECT 'C-' || lpad(number::text, 5, '0'), 'p' || number || '@example.com', 'Zoé', %s "
            "FROM generate_series(1, %s) AS number",
            [CITY, ROWS],
        )


def asked_for(requests: Iterable[Row]) -> Counter[str]:
    """E-mail address -> how often its contact was read."""
    return Counter(
        value
        for request in requests
        if request["method"] == "GET"
        for name, value in parse_qsl(request["query"])
        if name.startswith("filter[email]")
    )


def written(requests: Iterable[Row]) -> list[tuple[int, dict[str, Any]]]:
    """Id and new values of every update that was carried out, the first one first."""
    return [
        (int(request["path"].rpartition("/")[2]), json.loads(request["body"]))
        for request in requests
        if (request["method"], request["status"]) == ("PATCH", 200)
    ]


def written_by_shard(requests: Iterable[Row]) -> Counter[int]:
    """Shard -> how many updates of its contacts were carried out."""
    return Counter(number % SHARDS for number, _ in written(requests))


def before_a_second_try(requests: Iterable[Row]) -> list[Row]:
    """The requests until a contact is read again, as a shard does that is tried again."""
    seen: Counter[str] = Counter()
    first = []
    for request in requests:
        seen.update(asked_for([request]))
        if seen and max(seen.values()) > 1:
            break
        first.append(request)
    return first
