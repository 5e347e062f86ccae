"""The ledger only grows: the application's role may insert and select, and a trigger refuses everybody else's changes."""

from django.conf import settings
from django.db import migrations

GUARD = """
CREATE FUNCTION ledger_is_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'The audit ledger is append-only: % of % is refused.', TG_OP, TG_TABLE_NAME
        USING ERRCODE = 'insufficient_privilege';
END
$$;
CREATE TRIGGER append_only_rows BEFORE UPDATE OR DELETE ON ledger_auditevent
    FOR EACH ROW EXECUTE FUNCTION ledger_is_append_only();
CREATE TRIGGER append_only_table BEFORE TRUNCATE ON ledger_auditevent
    FOR EACH STATEMENT EXECUTE FUNCTION ledger_is_append_only();
"""
UNGUARD = """
DROP TRIGGER append_only_table ON ledger_auditevent;
DROP TRIGGER append_only_rows ON ledger_auditevent;
DROP FUNCTION ledger_is_append_only();
"""


def narrow_rights(apps, schema_editor):
    role = schema_editor.quote_name(settings.DATABASE_APP_ROLE)
    schema_editor.execute(f"REVOKE ALL ON ledger_auditevent FROM {role}, PUBLIC")
    schema_editor.execute(f"GRANT SELECT, INSERT ON ledger_auditevent TO {role}")


class Migration(migrations.Migration):
    dependencies = [("ledger", "0001_initial")]
    operations = [
        migrations.RunSQL(GUARD, UNGUARD),
        migrations.RunPython(narrow_rights, migrations.RunPython.noop),
    ]
