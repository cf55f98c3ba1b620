"""Review states, decisions, rules, freezes and the audit log."""
