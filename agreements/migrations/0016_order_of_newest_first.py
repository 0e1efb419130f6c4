"""On PostgreSQL, the index in the very order of "newest first": what is undated last, and codes by
their characters. Django's own has what is undated first there, and the whole register was sorted
for the first page. SQLite has it last anyway, and takes no NULLS LAST in an index.
"""

from django.db import migrations

DROP = "DROP INDEX agreement_newest"
FORWARDS = (
    DROP,
    """CREATE INDEX agreement_newest ON agreements_agreement
        (state, signed_on_earliest DESC NULLS LAST, slug COLLATE "C")""",
)
BACKWARDS = (
    DROP,
    "CREATE INDEX agreement_newest ON agreements_agreement (state, signed_on_earliest DESC)",
)


def run(statements):
    def execute(apps, schema_editor):
        if schema_editor.connection.vendor == "postgresql":
            for statement in statements:
                schema_editor.execute(statement)

    return execute


class Migration(migrations.Migration):
    dependencies = [("agreements", "0015_read_models")]
    operations = [migrations.RunPython(run(FORWARDS), run(BACKWARDS))]
