"""Every answer for programs, and what they share with the pages."""
