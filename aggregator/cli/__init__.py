"""Commands of the command line, one module per group. Heavy libraries are imported when a command needs them."""
