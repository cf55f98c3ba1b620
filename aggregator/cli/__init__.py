"""The words of the command line, one module for each group of them. Heavy libraries load when a word needs them."""
