"""The index beside SearchDocument: FTS5 on SQLite, tsvector columns with GIN on PostgreSQL.

The terms come analysed, so neither database is let near their spelling: FTS5 splits at the
spaces, and array_to_tsvector takes each term as it is.
"""

from django.db import migrations

SQLITE = [
    """CREATE VIRTUAL TABLE agreements_searchindex USING fts5(
        title_terms, all_terms,
        content='agreements_searchdocument', content_rowid='agreement_id',
        tokenize='ascii', detail='column')""",
    """CREATE TRIGGER agreements_searchdocument_ai AFTER INSERT ON agreements_searchdocument BEGIN
        INSERT INTO agreements_searchindex(rowid, title_terms, all_terms)
        VALUES (new.agreement_id, new.title_terms, new.all_terms);
    END""",
    """CREATE TRIGGER agreements_searchdocument_ad AFTER DELETE ON agreements_searchdocument BEGIN
        INSERT INTO agreements_searchindex(agreements_searchindex, rowid, title_terms, all_terms)
        VALUES ('delete', old.agreement_id, old.title_terms, old.all_terms);
    END""",
    """CREATE TRIGGER agreements_searchdocument_au AFTER UPDATE ON agreements_searchdocument BEGIN
        INSERT INTO agreements_searchindex(agreements_searchindex, rowid, title_terms, all_terms)
        VALUES ('delete', old.agreement_id, old.title_terms, old.all_terms);
        INSERT INTO agreements_searchindex(rowid, title_terms, all_terms)
        VALUES (new.agreement_id, new.title_terms, new.all_terms);
    END""",
]
SQLITE_UNDO = [
    "DROP TRIGGER agreements_searchdocument_au",
    "DROP TRIGGER agreements_searchdocument_ad",
    "DROP TRIGGER agreements_searchdocument_ai",
    "DROP TABLE agreements_searchindex",
]
POSTGRESQL = [
    f"""ALTER TABLE agreements_searchdocument ADD COLUMN {column}_vector tsvector
        GENERATED ALWAYS AS (array_to_tsvector(string_to_array({column}, ' '))) STORED"""
    for column in ("title_terms", "all_terms")
] + [
    f"""CREATE INDEX agreements_searchdocument_{column} ON agreements_searchdocument
        USING gin ({column}_vector)"""
    for column in ("title_terms", "all_terms")
]
POSTGRESQL_UNDO = [
    f"ALTER TABLE agreements_searchdocument DROP COLUMN {column}_vector"
    for column in ("title_terms", "all_terms")
]


def run(statements):
    def execute(apps, schema_editor):
        for statement in statements[schema_editor.connection.vendor]:
            schema_editor.execute(statement)

    return execute


class Migration(migrations.Migration):
    dependencies = [("agreements", "0001_initial")]
    operations = [
        migrations.RunPython(
            run({"sqlite": SQLITE, "postgresql": POSTGRESQL}),
            run({"sqlite": SQLITE_UNDO, "postgresql": POSTGRESQL_UNDO}),
        )
    ]
