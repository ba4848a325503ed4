"""Built-in loggers, parts of the kind `logger`: see `reidctl.training.loggers`."""
