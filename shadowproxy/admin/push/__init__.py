"""Push: the figures of /metrics, sent to whoever cannot fetch them. Nobody here is waited for."""
