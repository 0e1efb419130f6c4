"""The four roles of the staff desk, as groups. Django makes permissions only after the last
migration, so those that the groups need are made here."""

from django.contrib.auth.management import create_permissions
from django.db import migrations

RECORD = (
    "agreement",
    "participation",
    "signatory",
    "provision",
    "milestone",
    "relation",
    "outcome",
    "evidence",
    "source",
    "formerslug",
)
AGENCIES = ("agency", "agencyname")
VOCABULARY = ("cooperationarea", "productcategory")

VIEW = {f"view_{name}" for name in (*RECORD, *AGENCIES, *VOCABULARY, "revision")}
EDIT = {f"{act}_{name}" for act in ("add", "change", "delete") for name in RECORD}
EDIT |= {f"{act}_{name}" for act in ("add", "change") for name in AGENCIES}
EDIT |= {"delete_agencyname"}
PUBLISH = {"publish_agreement", "import_register"}
ADMINISTER = {f"{act}_{name}" for act in ("add", "change") for name in VOCABULARY}
ADMINISTER |= {"delete_agency"}
#: Accounts: made, changed and shut, never deleted, so that nobody's past goes unexplained.
ACCOUNTS = {"add_user", "change_user", "view_user", "view_group"}

ROLES = {
    "viewer": VIEW,
    "editor": VIEW | EDIT,
    "publisher": VIEW | EDIT | PUBLISH,
    "administrator": VIEW | EDIT | PUBLISH | ADMINISTER | ACCOUNTS,
}


def make_roles(apps, schema_editor):
    for label in ("auth", "agreements"):
        config = apps.get_app_config(label)
        # Without it, Django takes the app of a migration for one that has no models.
        config.models_module = True
        create_permissions(config, apps=apps, verbosity=0)
        config.models_module = None
    Group = apps.get_model("auth", "Group")
    Permission = apps.get_model("auth", "Permission")
    for name, codenames in ROLES.items():
        group, _ = Group.objects.get_or_create(name=name)
        found = Permission.objects.filter(
            codename__in=codenames, content_type__app_label__in=("auth", "agreements")
        )
        assert found.count() == len(codenames), codenames
        group.permissions.add(*found)


class Migration(migrations.Migration):
    dependencies = [
        ("agreements", "0007_staff_desk"),
        ("auth", "0012_alter_user_first_name_max_length"),
        ("contenttypes", "0002_remove_content_type_name"),
    ]
    operations = [migrations.RunPython(make_roles, migrations.RunPython.noop)]
