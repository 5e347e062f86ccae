"""The database's clock: every term, delegation and shelf life is held against this one, whatever the servers' clocks say."""

from datetime import datetime

from django.db import connection


def now() -> datetime:
    """The time of this statement, in UTC."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT statement_timestamp()")
        found: datetime = cursor.fetchone()[0]
    return found
