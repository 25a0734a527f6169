"""How is a database's value written in JSON? Exactly: a decimal as its digits, a time as ISO 8601, bytes as hex."""

from datetime import date, datetime, time, timedelta
from decimal import Decimal
from ipaddress import IPv4Address, IPv6Address
from typing import Any
from uuid import UUID


def plain(value: Any) -> Any:
    """Return what JSON can hold of a value. A decimal becomes a text: a float would be another amount."""
    match value:
        case None | bool() | int() | float() | str():
            return value
        case Decimal() | UUID() | IPv4Address() | IPv6Address():
            return str(value)
        case datetime() | date() | time():
            return value.isoformat()
        case timedelta():
            return value.total_seconds()
        case bytes() | bytearray() | memoryview():
            return bytes(value).hex()
        case list() | tuple():
            return [plain(item) for item in value]
        case dict():
            return {str(key): plain(item) for key, item in value.items()}
        case _:
            return str(value)
