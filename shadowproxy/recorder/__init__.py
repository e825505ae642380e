"""The recorder: frames from workers become lines of the pair log.

`process` has its life, `recording` the way of a frame, `lines` what is written of it.
"""
