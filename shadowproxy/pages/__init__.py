"""What pages are made of, as data: colours and type that the report and the dashboard share, and the plot library.

A file here is read, never run by Python, and a page that uses one needs no other origin and no build step. `uplot/`
holds uPlot 1.6.32 as published (MIT, its licence beside it).
"""
