"""stock-pipeline: one file per group of commands, and what they show. Nothing else imports it."""
