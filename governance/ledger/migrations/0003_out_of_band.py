"""The function behind the triggers on governed tables (config.out_of_band names these): a change whose transaction wrote no
event becomes one here. Nothing that a session can set makes it look away; only writing an event does, and that is an event."""

from django.db import migrations

FUNCTION = """
CREATE FUNCTION ledger_out_of_band() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    columns text[] := string_to_array(TG_ARGV[1], ',');
    secrets text[] := string_to_array(TG_ARGV[2], ',');
    old_row jsonb; new_row jsonb; row_now jsonb; was jsonb; became jsonb; counts boolean;
    team_name text; label text; about text[]; made bigint; application text := current_setting('application_name', true);
BEGIN
    -- Once a row of this transaction was told of, so are the others: looking again would walk through what was told. Whoever
    -- sets this by hand is told of more, never of less.
    IF current_setting('countersign.told', true) IS DISTINCT FROM pg_current_xact_id()::text AND EXISTS (
        SELECT FROM ledger_auditevent
        WHERE xid = pg_current_xact_id()::text::bigint AND action <> 'out_of_band.changed'
    ) THEN
        RETURN NULL;
    END IF;
    IF TG_OP = 'TRUNCATE' THEN
        became := jsonb_build_object('truncated', TG_TABLE_NAME);
    ELSE
        IF TG_OP <> 'INSERT' THEN old_row := to_jsonb(OLD); END IF;
        IF TG_OP <> 'DELETE' THEN new_row := to_jsonb(NEW); END IF;
        row_now := coalesce(new_row, old_row);
        EXECUTE 'SELECT ' || TG_ARGV[3] INTO counts USING row_now;
        IF NOT coalesce(counts, false) AND old_row IS NOT NULL THEN
            EXECUTE 'SELECT ' || TG_ARGV[3] INTO counts USING old_row;
        END IF;
        IF NOT coalesce(counts, false) THEN RETURN NULL; END IF;
        SELECT jsonb_object_agg(key, CASE WHEN key = ANY(secrets) THEN '"(secret)"' ELSE value END) INTO was
            FROM jsonb_each(old_row)
            WHERE key = ANY(columns) AND (new_row IS NULL OR new_row->key IS DISTINCT FROM value);
        SELECT jsonb_object_agg(key, CASE WHEN key = ANY(secrets) THEN '"(another secret)"' ELSE value END) INTO became
            FROM jsonb_each(new_row)
            WHERE key = ANY(columns) AND (old_row IS NULL OR old_row->key IS DISTINCT FROM value);
        IF was IS NULL AND became IS NULL THEN RETURN NULL; END IF;
        EXECUTE TG_ARGV[0] INTO team_name, label, about USING row_now;
    END IF;
    PERFORM set_config('countersign.told', pg_current_xact_id()::text, true);
    about := array_remove(about, NULL);
    IF coalesce(cardinality(about), 0) = 0 THEN
        about := ARRAY[TG_TABLE_NAME || ':' || coalesce(row_now->>'id', '')];
    END IF;
    INSERT INTO ledger_auditevent (
        team, via, key_id, request_id, action, target_kind, target_id, target_digest, subjects
    ) VALUES (
        coalesce(team_name, ''), 'database', '', '', 'out_of_band.changed', split_part(about[1], ':', 1),
        left(split_part(about[1], ':', 2), 64), '', about
    ) RETURNING id INTO made;
    INSERT INTO ledger_eventtext (event_id, actor_name, actor_email, address, target_label, before, after, reason) VALUES (
        made, session_user, '', coalesce(host(inet_client_addr()), ''),
        left(coalesce(label, TG_TABLE_NAME || ' ' || coalesce(row_now->>'id', '')), 300), was, became,
        format(
            CASE WHEN application = 'countersign-migrate' THEN '%s of %s by a migration or command as role %s (%s).'
            ELSE '%s of %s past the application, as role %s (application_name %s).' END,
            TG_OP, TG_TABLE_NAME, session_user, coalesce(nullif(application, ''), 'not given')
        )
    );
    RETURN NULL;
END
$$;
"""


class Migration(migrations.Migration):
    dependencies = [("ledger", "0002_append_only")]
    operations = [migrations.RunSQL(FUNCTION, "DROP FUNCTION ledger_out_of_band() CASCADE")]
