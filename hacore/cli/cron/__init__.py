"""`hacore drift` without a person: its cron line and timer, its metrics file, its webhook."""
