"""Sources, their schedule, hosts and pace."""
