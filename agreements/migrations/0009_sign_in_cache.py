from django.core.management import call_command
from django.db import migrations


def create(apps, schema_editor):
    """The table that counts failed sign-ins for all processes; does nothing if it is there."""
    call_command("createcachetable", database=schema_editor.connection.alias, verbosity=0)


class Migration(migrations.Migration):
    dependencies = [("agreements", "0008_roles")]
    operations = [migrations.RunPython(create, migrations.RunPython.noop)]
