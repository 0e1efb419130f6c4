"""What the tests in a browser ask of a page's accessibility."""

from axe_playwright_python.sync_playwright import Axe


def accessibility_faults(page, scheme="light"):
    """What axe finds against its rules, as a text; empty where it finds nothing. What does not
    depend on colours and room is looked at in the light only."""
    options = {"resultTypes": ["violations"]}
    if scheme != "light":
        options["runOnly"] = ["color-contrast", "target-size"]
    found = Axe().run(page, options=options)
    return found.generate_report() if found.violations_count else ""
