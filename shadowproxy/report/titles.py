"""Every figure's definition in one sentence: the title of its number, and the list at the end of a page.

`{old}` is production's name, `{new}` the candidate's, `{copy}` the reference for errors and latency as it is called.
JUDGEMENT defines the figures; these are its sentences for readers.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

TITLES: Final[Mapping[str, str]] = {
    "pairs": "Requests that {old} and {new} both got and whose two answers lie in the log, warm-up left out.",
    "warmup": "Pairs logged while {new} warmed up: shown here, and part of no figure.",
    "window": "Arrival of the first and of the last request counted, in UTC, and the time between them.",
    "coverage": (
        "Copies of {new} that lie in the log as pairs, as a share of the copies that it should have had (eligible "
        "requests less those sampled out)."
    ),
    "error_rate": (
        "Share of requests on which this side was bad: no whole answer, a status of 4xx or 5xx, or a 2xx that "
        "carries an error."
    ),
    "error_rate_increase": (
        "Share of requests on which only {new} was bad, less the share on which only {copy} was bad."
    ),
    "timeout_increase": "Share of requests on which only {new} timed out, less the share on which only {copy} did.",
    "timeout_rate": "Share of requests on which {new} gave no answer in time.",
    "nonfinite_rate": "Share of answers with NaN, Inf, null for a number, or probabilities that are none.",
    "nonfinite_increase": (
        "Share of requests on which only {new} answered with NaN, Inf or null for a number, less the share on "
        "which only {old} did."
    ),
    "disagreement": "Share of comparable requests on which {new} decides differently from {old}.",
    "noise": (
        "Share of requests on which a second copy of {old} decides differently from {old}: what no model change caused."
    ),
    "excess_disagreement": (
        "Disagreement between {old} and {new} less the noise, on requests that {old}, its copy and {new} all answered."
    ),
    "item_disagreement": "Share of the items of all batches on which {new} decides differently from {old}.",
    "difference": "Share of comparable requests on which any compared field differs between {old} and {new}.",
    "similarity_loss": (
        "How much less {new}'s answers resemble {old}'s than those of {old}'s own copy do, from 0 to 1."
    ),
    "slower_share": (
        "Share of requests on which {new} took over {by} and 1 ms longer than {copy}, less the share on which "
        "{copy} took so much longer than {new}."
    ),
    "first_token_slower_share": (
        "Share of streams whose first token came over {by} and 1 ms later from {new} than from {copy}, less the "
        "share the other way round."
    ),
    "per_token_slower_share": (
        "Share of streams on which {new} needed over {by} longer for each token than {copy}, less the share the "
        "other way round."
    ),
    "slo_miss_increase": (
        "Share of requests on which {new} took longer than {over}, less the share on which {copy} did."
    ),
    "latency_p50_ratio": "{new}'s median latency divided by {copy}'s, as the geometric mean over stretches of time.",
    "latency_p99_ratio": (
        "{new}'s 99th percentile of latency divided by {copy}'s, as the geometric mean over stretches of time."
    ),
    "accuracy": "Share of labelled requests that this side got right.",
    "inaccuracy": "Share of labelled requests that this side got wrong.",
    "accuracy_rise": "Share of labelled requests that only {new} got right, less the share that only {old} got right.",
    "accuracy_drop": (
        "Share of labelled requests that only {old} got right, less the share that only {new} got right."
    ),
    "mean": "Mean of this measure of the comparison over comparable requests.",
    "latency": (
        "Time from the last byte of the request to the last byte of the answer, less the time in which a slow "
        "client kept the proxy from reading."
    ),
    "latency_difference": "Of the differences {new} less {copy} within pairs; not a difference of the two quantiles.",
    "limit": "The gate: beyond this the verdict is FAIL once the interval lies beyond it too.",
    "verdict": (
        "PASS: the whole interval is within the limit. FAIL: it is beyond. INCONCLUSIVE: neither yet, or "
        "something is in the way."
    ),
    "interval": (
        "The interval covers the true value in at least 95 of 100 trials, however often anybody looks, as long as "
        "that value stays what it is: outside it, the figure is drifting."
    ),
    "field": "Comparable requests on which this field differs between {old} and {new}, once a request.",
    "field_noise": "Requests on which the same field differs between {old} and its own copy.",
    "incomparable": "Pairs without two whole, good, readable answers: they say nothing about outputs.",
    "censored": "Copies that timed out where {old} itself took at least as long as {new} was given: not errors.",
    "client_aborted": "Requests that their clients left before the answer was complete.",
    "kappa": "Cohen's κ between {old} and {new}: agreement beyond what chance alone would give, 1 at most.",
    "confusion": "Items that {old} put into the row's class and {new} into the column's.",
    "spread_mean": "Mean of the numbers or scores that this side decided, over items.",
    "kolmogorov_smirnov": "The greatest gap between the two distributions of numbers, from 0 to 1.",
    "wasserstein": "How far one distribution has to be moved to become the other, in the numbers' own unit.",
    "ledger": "Counted by the proxy for every request, whether or not it became a pair.",
    "alike": "Requests that depart in the same way as this example.",
}

_DEFAULTS: Final = {"by": "25 %", "over": "the limit"}


def title(key: str, *, old: str, new: str, copy: str, **more: str) -> str:
    """Raises KeyError for a figure that has no definition."""
    return TITLES[key].format(**{**_DEFAULTS, "old": old, "new": new, "copy": copy, **more})
