"""
The figures in a measurement, in the units they are told in.
"""

from __future__ import annotations

from .results import Life, Measurement


def rate(each: Measurement) -> float:
    """
    Answers a second.
    """
    return each.report.rate


def p50(each: Measurement) -> float:
    """
    The median time to the end of an answer, in milliseconds.
    """
    return each.report.p50 / 1000


def p99(each: Measurement) -> float:
    """
    The time that one answer in a hundred takes longer than, in milliseconds.
    """
    return each.report.p99 / 1000


def first(each: Measurement) -> float:
    """
    The median time to the first byte of a stream, in milliseconds.
    """
    return each.report.first_p50 / 1000


def first_p99(each: Measurement) -> float:
    """
    The time that the first byte of one stream in a hundred takes longer than,
    in milliseconds.
    """
    return each.report.first_p99 / 1000


def processor(each: Measurement) -> float:
    """
    Microseconds of processor time for each answer.
    """
    return each.processor


def start_seconds(each: Life) -> float:
    """
    From the start of the program to the first answer.
    """
    return each.start_seconds


def idle(each: Life) -> float:
    """
    Resident memory after the first answer, in megabytes.
    """
    return each.idle_megabytes


def loaded(each: Life) -> float:
    """
    Resident memory under load, in megabytes.
    """
    return each.loaded_megabytes
