"""The sign-in pages that exist: no sign-up, nothing that needs mail.

They shadow the admin's own login and logout, whose form knows no second factor, and its change of
the password, which counts no failures.
"""

from allauth.account import views as account
from allauth.mfa.base import views as mfa
from allauth.mfa.recovery_codes import views as codes
from allauth.mfa.totp import views as app
from allauth.mfa.webauthn import views as keys
from django.urls import path

from .views import AddKey, ChangePassword, SetUpApp

urlpatterns = [
    path("login/", account.login, name="account_login"),
    path("login/factor/", mfa.authenticate, name="mfa_authenticate"),
    path("logout/", account.logout, name="account_logout"),
    path("password_change/", ChangePassword.as_view(), name="account_change_password"),
    path("account/confirm/", account.reauthenticate, name="account_reauthenticate"),
    path("account/confirm/code/", mfa.reauthenticate, name="mfa_reauthenticate"),
    path("account/confirm/key/", keys.reauthenticate_webauthn, name="mfa_reauthenticate_webauthn"),
    path("account/factors/", mfa.index, name="mfa_index"),
    path("account/factors/app/", SetUpApp.as_view(), name="mfa_activate_totp"),
    path("account/factors/app/remove/", app.deactivate_totp, name="mfa_deactivate_totp"),
    path("account/factors/keys/", keys.list_webauthn, name="mfa_list_webauthn"),
    path("account/factors/keys/add/", AddKey.as_view(), name="mfa_add_webauthn"),
    path("account/factors/keys/<int:pk>/", keys.edit_webauthn, name="mfa_edit_webauthn"),
    path("account/factors/keys/<int:pk>/remove/", keys.remove_webauthn, name="mfa_remove_webauthn"),
    path("account/factors/codes/", codes.view_recovery_codes, name="mfa_view_recovery_codes"),
    path(
        "account/factors/codes/download/",
        codes.download_recovery_codes,
        name="mfa_download_recovery_codes",
    ),
    path(
        "account/factors/codes/generate/",
        codes.generate_recovery_codes,
        name="mfa_generate_recovery_codes",
    ),
]
