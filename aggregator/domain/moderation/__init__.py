"""Rules, freezes and decisions about what is shown."""
