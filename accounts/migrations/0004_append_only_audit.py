from django.db import migrations, models
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.apps.registry import Apps

# A row trigger: TRUNCATE, by which a test database is emptied, does not fire it.
REFUSE = """
CREATE FUNCTION accounts_auditentry_refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'The audit trail is append-only: no % of an entry.', TG_OP
        USING ERRCODE = 'restrict_violation';
END
$$;
CREATE TRIGGER accounts_auditentry_append_only BEFORE UPDATE OR DELETE ON accounts_auditentry
    FOR EACH ROW EXECUTE FUNCTION accounts_auditentry_refuse();
"""
ALLOW = """
DROP TRIGGER accounts_auditentry_append_only ON accounts_auditentry;
DROP FUNCTION accounts_auditentry_refuse();
"""


def refuse_changes(apps: Apps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    """On SQLite nobody is kept out who can write to the file, and Django empties its test database by DELETE."""
    if schema_editor.connection.vendor == "postgresql":
        schema_editor.execute(REFUSE, params=None)


def allow_changes(apps: Apps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    if schema_editor.connection.vendor == "postgresql":
        schema_editor.execute(ALLOW, params=None)


class Migration(migrations.Migration):

    dependencies = [
        ("accounts", "0003_external_organizations"),
    ]

    operations = [
        migrations.AlterField(
            model_name="auditentry",
            name="room_id",
            field=models.UUIDField(null=True),
        ),
        migrations.AddIndex(
            model_name="auditentry",
            index=models.Index(fields=["room_id", "number"], name="audit_entry_by_room"),
        ),
        migrations.AddIndex(
            model_name="auditentry",
            index=models.Index(fields=["organization_id", "actor_id", "number"], name="audit_entry_by_actor"),
        ),
        migrations.AddIndex(
            model_name="auditentry",
            index=models.Index(fields=["organization_id", "created_at"], name="audit_entry_by_time"),
        ),
        migrations.RunPython(refuse_changes, allow_changes),
    ]
