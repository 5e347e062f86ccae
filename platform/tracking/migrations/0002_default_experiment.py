"""Every team has its 'Default' experiment from the moment it exists: clients log into it without asking."""

from django.db import migrations

FORWARDS = """
INSERT INTO tracking_experiment (team_id, name, is_default, tags, created_at, updated_at)
SELECT id, 'Default', true, '{}', now(), now() FROM accounts_team
ON CONFLICT DO NOTHING;

CREATE FUNCTION tracking_default_experiment() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO tracking_experiment (team_id, name, is_default, tags, created_at, updated_at)
    VALUES (NEW.id, 'Default', true, '{}', now(), now());
    RETURN NULL;
END
$$;
CREATE TRIGGER team_has_a_default_experiment AFTER INSERT ON accounts_team
    FOR EACH ROW EXECUTE FUNCTION tracking_default_experiment();
"""
BACKWARDS = """
DROP TRIGGER team_has_a_default_experiment ON accounts_team;
DROP FUNCTION tracking_default_experiment();
"""


class Migration(migrations.Migration):
    dependencies = [("tracking", "0001_initial"), ("accounts", "0001_initial")]
    operations = [migrations.RunSQL(FORWARDS, BACKWARDS)]
