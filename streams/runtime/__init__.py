"""What every process stands on: settings, errors, logs and traces, private folders, the supervisor."""
