"""The public pages. Each starts with ``register()`` and is a few lines over what the rooms below
answer."""
