"""What the ORM has no word for."""

from typing import Any

from django.contrib.postgres.fields import ArrayField
from django.db.models import Lookup


@ArrayField.register_lookup
class AnyOf(Lookup):  # type: ignore[type-arg]  # no type parameters at run time
    """Whether an array holds one of many texts. `overlap` compares each with each; PostgreSQL hashes a list after `= ANY`."""

    lookup_name = "any_of"
    prepare_rhs = False

    def as_sql(self, compiler: Any, connection: Any) -> tuple[str, tuple[Any, ...]]:
        column, values = self.process_lhs(compiler, connection)
        return f"EXISTS (SELECT FROM unnest({column}) AS one WHERE one = ANY(%s::text[]))", (*values, list(self.rhs))

    def get_db_prep_lookup(self, value: Any, connection: Any) -> tuple[str, tuple[Any, ...]]:
        return "%s", (value,)
