"""The comms desk below /review: queue, decisions, rules, sources, history, accounts. Server-rendered, for people."""
