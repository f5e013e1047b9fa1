"""The source paper's whole method, stage by stage, from raw data to one report.

Cabrejos-Yalán & Rodriguez 2024, doi:10.18280/mmep.111112.
"""
