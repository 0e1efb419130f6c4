"""How the tests sign in."""

import time

from allauth.mfa.totp.internal.auth import format_hotp_value, hotp_value

SECRET = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"
PASSWORD = "made-up-password"
FACTORS = "/admin/account/factors/"


def code_now(secret=SECRET, ahead=0):
    """What the app shows, or will show ``ahead`` half minutes later."""
    return format_hotp_value(hotp_value(secret, int(time.time()) // 30 + ahead))


def give_password(client, name="somebody", password=PASSWORD, **more):
    extra = {"REMOTE_ADDR": more.pop("address")} if "address" in more else {}
    data = {"login": name, "password": password} | more
    return client.post("/admin/login/", data, **extra)


def give_code(client, code):
    return client.post("/admin/login/factor/", {"code": code})


def is_in(client):
    # The cheapest of the addresses that only the desk has.
    return client.get("/admin/jsi18n/").status_code == 200


def help_with(client, *users):
    data = {"action": "help_to_sign_in", "_selected_action": [user.pk for user in users]}
    return client.post("/admin/auth/user/", data, follow=True)
