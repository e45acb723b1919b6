"""The embedded host: the same services as ArkhamFrame, over SQLite or PostgreSQL, for anyone without one."""
