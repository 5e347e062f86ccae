"""What is registered stays as it is, whoever asks: the database itself refuses."""

from django.db import migrations

GUARD = """
CREATE FUNCTION registry_version_is_immutable() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF OLD.state = 'registered' THEN
        RAISE EXCEPTION 'Version % is registered: % of it is refused.', OLD.id, TG_OP USING ERRCODE = 'restrict_violation';
    END IF;
    IF TG_OP = 'DELETE' THEN RETURN OLD; END IF;
    RETURN NEW;
END
$$;
CREATE TRIGGER registered_versions_stay BEFORE UPDATE OR DELETE ON registry_version
    FOR EACH ROW EXECUTE FUNCTION registry_version_is_immutable();

CREATE FUNCTION registry_file_is_immutable() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    version_state text;
    wanted bigint;
BEGIN
    FOREACH wanted IN ARRAY CASE TG_OP
        WHEN 'INSERT' THEN ARRAY[NEW.version_id]
        WHEN 'DELETE' THEN ARRAY[OLD.version_id]
        ELSE ARRAY[OLD.version_id, NEW.version_id] END
    LOOP
        -- FOR SHARE waits for a registration that is under way, and makes the next one wait for this.
        SELECT state INTO version_state FROM registry_version WHERE id = wanted FOR SHARE;
        IF version_state = 'registered' THEN
            RAISE EXCEPTION 'Version % is registered: % of its files is refused.', wanted, TG_OP
                USING ERRCODE = 'restrict_violation';
        END IF;
    END LOOP;
    IF TG_OP = 'DELETE' THEN RETURN OLD; END IF;
    RETURN NEW;
END
$$;
CREATE TRIGGER files_of_registered_versions_stay BEFORE INSERT OR UPDATE OR DELETE ON registry_file
    FOR EACH ROW EXECUTE FUNCTION registry_file_is_immutable();

CREATE FUNCTION registry_row_is_immutable() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% of % is refused: its rows are kept as they were written.', TG_OP, TG_TABLE_NAME
        USING ERRCODE = 'restrict_violation';
END
$$;
CREATE TRIGGER blobs_stay_what_they_are BEFORE UPDATE ON registry_blob
    FOR EACH ROW EXECUTE FUNCTION registry_row_is_immutable();
CREATE TRIGGER alias_moves_stay BEFORE UPDATE OR DELETE ON registry_aliasmove
    FOR EACH ROW EXECUTE FUNCTION registry_row_is_immutable();
"""
UNGUARD = """
DROP TRIGGER alias_moves_stay ON registry_aliasmove;
DROP TRIGGER blobs_stay_what_they_are ON registry_blob;
DROP FUNCTION registry_row_is_immutable();
DROP TRIGGER files_of_registered_versions_stay ON registry_file;
DROP FUNCTION registry_file_is_immutable();
DROP TRIGGER registered_versions_stay ON registry_version;
DROP FUNCTION registry_version_is_immutable();
"""


class Migration(migrations.Migration):
    dependencies = [("registry", "0001_initial")]
    operations = [migrations.RunSQL(GUARD, UNGUARD)]
