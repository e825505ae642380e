"""The report as one file that opens anywhere: no script, no request, every payload escaped.

Charts are inline SVG rather than a plot library's canvas, because they print sharply, are read aloud by their titles,
scale to a phone, and need no script: so the page's policy can forbid scripts altogether.
"""
