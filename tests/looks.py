"""How the tests in a browser go from page to page, and what they ask of a page."""

from contextlib import contextmanager
from urllib.parse import urljoin

from axe_playwright_python.sync_playwright import Axe


def watch(page):
    """Note what the page complains of, and where it went while nobody waited for it."""
    page.complaints, page.not_awaited, page.awaiting = [], [], False

    def hear(message):
        # That a page itself is refused or not found is no fault of it; nor is the icon that a
        # browser looks for where a page names none.
        if message.type == "error" and message.location["url"] not in (
            page.url,
            urljoin(page.url, "/favicon.ico"),
        ):
            page.complaints.append(message.text)

    def arrive(frame):
        if not page.awaiting:
            page.not_awaited.append(frame.url)

    def goto(address, go=page.goto):
        page.awaiting = True
        go(address)
        page.awaiting = False

    page.on("console", hear)
    page.on("pageerror", lambda error: page.complaints.append(str(error)))
    page.on("framenavigated", arrive)
    page.goto = goto
    return page


@contextmanager
def following(page):
    """What is done inside leads to another page, which stands afterwards. Without it, whatever is
    asked next of the page or of the database may find what was there before, or nothing."""
    page.awaiting = True
    with page.expect_navigation():
        yield
    page.awaiting = False


def follow(locator, key=None):
    """Click what leads to another page, or press ``key`` on it."""
    with following(locator.page):
        locator.press(key) if key else locator.click()


def accessibility_faults(page, scheme="light"):
    """What axe finds against its rules, as a text; empty where it finds nothing. What does not
    depend on colours and room is looked at in the light only."""
    options = {"resultTypes": ["violations"]}
    if scheme != "light":
        options["runOnly"] = ["color-contrast", "target-size"]
    found = Axe().run(page, options=options)
    return found.generate_report() if found.violations_count else ""
