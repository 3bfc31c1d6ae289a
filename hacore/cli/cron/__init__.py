"""`hacore drift` as a scheduled job: cron line, timer, metrics file, webhook."""
