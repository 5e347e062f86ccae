"""Lookups that the ORM does not have."""

from typing import Any

from django.db.models import BigAutoField, Lookup


@BigAutoField.register_lookup
class Among(Lookup):  # type: ignore[type-arg]  # generic in the stubs alone
    """`id = ANY(array)`: one parameter, however many ids. `in` writes one for each, and with a thousand the driver is longer at
    putting them into the statement than the database at answering it."""

    lookup_name = "among"
    prepare_rhs = False

    def get_prep_lookup(self) -> object:
        return list(self.rhs)

    def as_sql(self, compiler: Any, connection: Any) -> Any:
        left, parameters = self.process_lhs(compiler, connection)
        return f"{left} = ANY(%s::bigint[])", [*parameters, self.rhs]
