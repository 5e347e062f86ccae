"""What is registered stays as it is, whoever asks: the database itself refuses."""

from django.db import migrations

GUARD = """
CREATE FUNCTION registry_version_is_immutable() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    -- What describes a registered version, or says that it is out of use, changes; what it is does not.
    mutable text[] := ARRAY['description', 'archived_at', 'deleted_at', 'purged_at', 'updated_at'];
BEGIN
    IF OLD.state = 'registered' AND (TG_OP = 'DELETE' OR to_jsonb(OLD) - mutable <> to_jsonb(NEW) - mutable) THEN
        RAISE EXCEPTION 'Version % is registered: % of it is refused.', OLD.id, TG_OP USING ERRCODE = 'restrict_violation';
    END IF;
    IF TG_OP = 'DELETE' THEN RETURN OLD; END IF;
    NEW.updated_at := statement_timestamp();
    RETURN NEW;
END
$$;
CREATE TRIGGER registered_versions_stay BEFORE UPDATE OR DELETE ON registry_version
    FOR EACH ROW EXECUTE FUNCTION registry_version_is_immutable();

CREATE FUNCTION registry_file_is_immutable() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    version_state text;
    gone timestamptz;
    wanted bigint;
BEGIN
    FOREACH wanted IN ARRAY CASE TG_OP
        WHEN 'INSERT' THEN ARRAY[NEW.version_id]
        WHEN 'DELETE' THEN ARRAY[OLD.version_id]
        ELSE ARRAY[OLD.version_id, NEW.version_id] END
    LOOP
        -- FOR SHARE waits for a registration that is under way, and makes the next one wait for this.
        SELECT state, purged_at INTO version_state, gone FROM registry_version WHERE id = wanted FOR SHARE;
        -- Once the grace period of a deleted version is over, its files go; its row stays.
        IF version_state = 'registered' AND NOT (TG_OP = 'DELETE' AND gone IS NOT NULL) THEN
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
