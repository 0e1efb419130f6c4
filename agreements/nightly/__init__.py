"""What runs at night on records: reminders and the check of links."""
