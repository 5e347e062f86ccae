"""Versions never change, and neither does the history of labels: held to by the database, whoever writes."""

from django.db import migrations

GUARD = """
CREATE FUNCTION prompts_refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% is immutable: % is refused', TG_TABLE_NAME, TG_OP USING ERRCODE = 'integrity_constraint_violation';
END $$;
CREATE FUNCTION prompts_version_is_immutable() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    -- Whether it is deleted may change, nothing else.
    IF TG_OP = 'DELETE' OR to_jsonb(OLD) - 'deleted_at' <> to_jsonb(NEW) - 'deleted_at' THEN
        RAISE EXCEPTION '% is immutable: % is refused', TG_TABLE_NAME, TG_OP USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER prompt_version_is_immutable BEFORE UPDATE OR DELETE ON prompts_promptversion
    FOR EACH ROW EXECUTE FUNCTION prompts_version_is_immutable();
CREATE TRIGGER include_is_immutable BEFORE UPDATE OR DELETE ON prompts_include
    FOR EACH ROW EXECUTE FUNCTION prompts_refuse_change();
CREATE TRIGGER label_history_is_immutable BEFORE UPDATE OR DELETE ON prompts_labelmove
    FOR EACH ROW EXECUTE FUNCTION prompts_refuse_change();
"""
UNGUARD = """
DROP TRIGGER include_is_immutable ON prompts_include;
DROP TRIGGER prompt_version_is_immutable ON prompts_promptversion;
DROP FUNCTION prompts_version_is_immutable();
DROP TRIGGER label_history_is_immutable ON prompts_labelmove;
DROP FUNCTION prompts_refuse_change();
"""


class Migration(migrations.Migration):
    dependencies = [("prompts", "0001_initial")]
    operations = [migrations.RunSQL(GUARD, UNGUARD)]
