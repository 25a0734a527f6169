"""`lane`: one command for all of it; a module per command or group of commands."""
