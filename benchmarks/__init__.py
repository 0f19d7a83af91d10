"""Measurements against peers: `python -m benchmarks [NAME …]` writes benchmarks/RESULTS.md.

A file in this folder holds benchmarks: functions with `@benchmark` that say who contends (see `measure`). The runner
finds them by itself.
"""
