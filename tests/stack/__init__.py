"""The whole stack: workers, scheduler and reader as processes of their own."""
