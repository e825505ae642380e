"""The data plane: one uvloop in each worker, and nothing else on it.

Law: nothing here waits for a candidate, the twin, the recorder or the disk. What is sent to them is offered, and the
offer is taken or counted as refused (`mirror.offer`, `recording.offer`).
"""
