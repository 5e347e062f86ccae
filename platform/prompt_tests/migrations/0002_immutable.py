"""A revision of tests never changes: evidence names it."""

from django.db import migrations

FORWARD = """
CREATE FUNCTION suite_revision_is_immutable() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'a revision of tests is immutable' USING ERRCODE = 'integrity_constraint_violation';
END $$;
CREATE TRIGGER suite_revision_is_immutable BEFORE UPDATE OR DELETE ON prompt_tests_suiterevision
    FOR EACH ROW EXECUTE FUNCTION suite_revision_is_immutable();
"""
BACKWARD = """
DROP TRIGGER suite_revision_is_immutable ON prompt_tests_suiterevision;
DROP FUNCTION suite_revision_is_immutable();
"""


class Migration(migrations.Migration):
    dependencies = [("prompt_tests", "0001_initial")]
    operations = [migrations.RunSQL(FORWARD, BACKWARD)]
