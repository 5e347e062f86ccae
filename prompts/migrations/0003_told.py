"""Whoever listens (gateway.prompts) is woken by each change of a prompt, when it commits: versions, labels, archiving all touch
its row. The notice carries nothing; what happened is read from the ledger, where it was written in the same transaction."""

from django.db import migrations

TELL = """
CREATE FUNCTION prompts_tell() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_notify('countersign_prompts', '');
    RETURN NULL;
END $$;
CREATE TRIGGER prompt_change_is_told AFTER INSERT OR UPDATE ON prompts_prompt
    FOR EACH STATEMENT EXECUTE FUNCTION prompts_tell();
"""
UNTELL = """
DROP TRIGGER prompt_change_is_told ON prompts_prompt;
DROP FUNCTION prompts_tell();
"""


class Migration(migrations.Migration):
    dependencies = [("prompts", "0002_immutable")]
    operations = [migrations.RunSQL(TELL, UNTELL)]
