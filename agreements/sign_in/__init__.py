"""Staff sign-in: django-allauth with two factors, without sign-up and without mail."""
