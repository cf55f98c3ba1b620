"""Settings, secrets and the files that configure an installation."""
