"""How fast moctracker is on made-up registers, beside what is aimed at: ``make bench``."""
