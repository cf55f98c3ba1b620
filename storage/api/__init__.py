"""Store refusals and credentials of the APIs of services."""
