"""The parent process: sockets, children, signals, and which configuration is in force. Standard library only."""
