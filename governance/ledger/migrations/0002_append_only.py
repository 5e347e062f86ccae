"""The ledger only grows: the application's role may insert and select, and triggers refuse everybody else's changes.
The one door: ledger_erase() drops texts and salts of sealed events; facts and tree are never touched."""

from django.conf import settings
from django.db import migrations

TABLES = [
    "ledger_auditevent", "ledger_eventtext", "ledger_leaf", "ledger_subtree", "ledger_checkpoint", "ledger_signingkey",
    "ledger_anchor",
]  # fmt: skip
FIELDS = ("actor_email", "actor_name", "address", "after", "before", "reason", "target_label")
# A field stays as it is, or goes together with its salt.
KEPT = """(
        (NEW.{0} IS NOT DISTINCT FROM OLD.{0} AND NEW.salt_{0} IS NOT DISTINCT FROM OLD.salt_{0})
        OR (NEW.{0} IS NULL AND NEW.salt_{0} IS NULL)
    )"""
GUARD = """
CREATE FUNCTION ledger_is_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'The audit ledger is append-only: %% of %% is refused.', TG_OP, TG_TABLE_NAME
        USING ERRCODE = 'insufficient_privilege';
END
$$;
CREATE FUNCTION ledger_only_erases() RETURNS trigger LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
BEGIN
    IF NEW.event_id = OLD.event_id AND %(kept)s
        AND EXISTS (SELECT FROM ledger_leaf WHERE event_id = OLD.event_id)
    THEN
        RETURN NEW;
    END IF;
    RAISE EXCEPTION 'The audit ledger is append-only: texts of a sealed event can be erased, and nothing else.'
        USING ERRCODE = 'insufficient_privilege';
END
$$;
CREATE FUNCTION ledger_erase(event_ids bigint[], fields text[]) RETURNS bigint
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE changed bigint;
BEGIN
    UPDATE ledger_eventtext SET %(erased)s
    WHERE event_id = ANY(event_ids) AND (%(any)s);
    GET DIAGNOSTICS changed = ROW_COUNT;
    RETURN changed;
END
$$;
""" % {
    "kept": " AND ".join(KEPT.format(name) for name in FIELDS),
    "erased": ", ".join(
        f"{column} = CASE WHEN '{name}' = ANY(fields) THEN NULL ELSE {column} END"
        for name in FIELDS
        for column in (name, f"salt_{name}")
    ),
    "any": " OR ".join(f"('{name}' = ANY(fields) AND salt_{name} IS NOT NULL)" for name in FIELDS),
}


def guard(apps, schema_editor):
    role = schema_editor.quote_name(settings.DATABASE_APP_ROLE)
    schema_editor.execute(GUARD, params=None)
    for table in TABLES:
        update = "ledger_only_erases" if table == "ledger_eventtext" else "ledger_is_append_only"
        for name, event, level, function in (
            ("append_only_rows", "UPDATE", "ROW", update),
            ("append_only_deletes", "DELETE", "ROW", "ledger_is_append_only"),
            ("append_only_table", "TRUNCATE", "STATEMENT", "ledger_is_append_only"),
        ):
            schema_editor.execute(
                f"CREATE TRIGGER {name} BEFORE {event} ON {table} FOR EACH {level} EXECUTE FUNCTION {function}()"
            )
        schema_editor.execute(f"REVOKE ALL ON {table} FROM {role}, PUBLIC")
        schema_editor.execute(f"GRANT SELECT, INSERT ON {table} TO {role}")
    schema_editor.execute("REVOKE ALL ON FUNCTION ledger_erase(bigint[], text[]) FROM PUBLIC")
    schema_editor.execute(f"GRANT EXECUTE ON FUNCTION ledger_erase(bigint[], text[]) TO {role}")


def unguard(apps, schema_editor):
    for table in TABLES:
        for name in ("append_only_rows", "append_only_deletes", "append_only_table"):
            schema_editor.execute(f"DROP TRIGGER {name} ON {table}")
    schema_editor.execute("DROP FUNCTION ledger_erase(bigint[], text[])")
    schema_editor.execute("DROP FUNCTION ledger_only_erases()")
    schema_editor.execute("DROP FUNCTION ledger_is_append_only()")


class Migration(migrations.Migration):
    dependencies = [("ledger", "0001_initial")]
    operations = [migrations.RunPython(guard, unguard)]
