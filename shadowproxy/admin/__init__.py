"""The control side: probes, metrics and status, in a process of its own that no request depends on."""
