"""`judged`: the pairs that count, with the questions of JUDGEMENT answered for each.

Is it comparable, a triple, an exchange that counts for errors, a latency pair; what does the reference say. Warm-up is
left out, and so are time buckets that are still open. `twin_judged` asks the same of the twin as if it were a
candidate, production being its reference: the self-check. Everything that counts or measures stands on these two.
"""

from __future__ import annotations

from typing import Final

import duckdb

MANY: Final = 100_000  # pairs

# A copy that timed out has an infinite latency; a first token that had come by then is a fact.
_SIDES: Final = """
  {candidate}_outcome AS candidate_outcome, coalesce({candidate}_bad, false) AS candidate_bad,
  CASE WHEN {candidate}_outcome = 'timeout' THEN 'inf'::DOUBLE ELSE {candidate}_latency_ms END AS candidate_ms,
  CASE WHEN {candidate}_outcome = 'timeout' THEN coalesce({candidate}_first_token_ms, 'inf'::DOUBLE)
    ELSE {candidate}_first_token_ms END AS candidate_first_token_ms,
  CASE WHEN {candidate}_outcome = 'timeout' THEN 'inf'::DOUBLE ELSE {candidate}_per_token_ms END
    AS candidate_per_token_ms
"""

_JUDGED: Final = """
WITH referred AS (
  SELECT * EXCLUDE ({unused}), epoch_us(ts) // $bucket_us AS bucket,
    CASE WHEN twin_covers THEN twin_outcome ELSE production_outcome END AS reference_outcome,
    coalesce(CASE WHEN twin_covers THEN twin_bad ELSE production_bad END, false) AS reference_bad,
    CASE WHEN twin_covers THEN twin_latency_ms ELSE production_latency_ms END AS reference_ms,
    CASE WHEN twin_covers THEN twin_first_token_ms ELSE production_first_token_ms END AS reference_first_token_ms,
    CASE WHEN twin_covers THEN twin_per_token_ms ELSE production_per_token_ms END AS reference_per_token_ms,
    {sides},
    coalesce(metrics['nonfinite_shadow'] > 0, false) AS candidate_nonfinite,
    coalesce(metrics['nonfinite_production'] > 0, false) AS production_nonfinite,
    coalesce(result IN ('same', 'different'), false) AS is_comparable,
    coalesce(noise_result IN ('same', 'different'), false) AS is_noise_comparable,
    censored OR (twin_covers AND noise_censored) AS is_censored,
    coalesce('client_aborted' IN (production_outcome, shadow_outcome,
      CASE WHEN twin_covers THEN twin_outcome END), false) AS is_aborted
  FROM scoped WHERE NOT warmup AND (open_from_us IS NULL OR epoch_us(ts) < open_from_us))
SELECT *,
  is_comparable AND agrees IS NOT NULL AS is_decided,
  is_comparable AND is_noise_comparable AND agrees IS NOT NULL AND noise_agrees IS NOT NULL AS is_triple,
  {answered}
FROM referred
"""

# Columns that no figure is made of: a table of them all is twice as wide.
_UNUSED: Final = (
    "method target origin request_body_bytes latency_ms_difference differences_total rules warmup "
    + " ".join(
        f"{role}_{name}"
        for role in ("production", "shadow", "twin")
        for name in ("version", "body_bytes", "total_ms", "dropped", "error")
    )
).split()

_TWIN: Final = """
WITH referred AS (
  SELECT candidate, trial, route, bucket, answered_by, twin_covers, {sides},
    production_outcome AS reference_outcome, coalesce(production_bad, false) AS reference_bad,
    production_latency_ms AS reference_ms, production_first_token_ms AS reference_first_token_ms,
    production_per_token_ms AS reference_per_token_ms,
    coalesce(noise_metrics['nonfinite_twin'] > 0, false) AS candidate_nonfinite,
    coalesce(noise_metrics['nonfinite_production'] > 0, false) AS production_nonfinite,
    noise_censored AS is_censored,
    coalesce('client_aborted' IN (production_outcome, twin_outcome), false) AS is_aborted
  FROM judged WHERE twin_outcome IS NOT NULL)
SELECT *, {answered} FROM referred
"""

# A stream has a pace: it came in more than one part.
_ANSWERED: Final = """
  NOT is_aborted AND NOT is_censored AND reference_outcome IS NOT NULL AS is_exchange,
  coalesce(NOT is_aborted AND NOT is_censored AND answered_by IS DISTINCT FROM candidate
    AND reference_outcome = 'complete' AND NOT reference_bad AND reference_ms IS NOT NULL
    AND (candidate_outcome = 'timeout' OR (candidate_outcome = 'complete' AND NOT candidate_bad))
    AND candidate_ms IS NOT NULL, false) AS is_timed,
  is_timed AND reference_first_token_ms IS NOT NULL AND reference_per_token_ms IS NOT NULL
    AND candidate_first_token_ms IS NOT NULL AND candidate_per_token_ms IS NOT NULL AS is_stream
"""


def prepare(con: duckdb.DuckDBPyConnection, bucket_s: float) -> None:
    """Create `judged` and `twin_judged` on top of `scoped`. `bucket` counts from 1970 in units of its length."""
    candidate, twin = (_SIDES.format(candidate=role) for role in ("shadow", "twin"))
    made = _JUDGED.format(unused=", ".join(_UNUSED), sides=candidate, answered=_ANSWERED)
    counted = con.execute("SELECT count(*) FROM pairs").fetchone()
    # Of many pairs, each question reads the columns that it needs: writing them all down first would cost more than
    # reading them for each, in time (1 M pairs: 2 of 4.6 s) and above all in memory. Of few, reading again and again
    # costs more (0.39 s a report instead of 0.25).
    kind = "VIEW" if counted is not None and counted[0] > MANY else "TABLE"
    con.execute(f"CREATE {kind} judged AS {made.replace('$bucket_us', str(round(bucket_s * 1e6)))}")
    con.execute("CREATE VIEW twin_judged AS " + _TWIN.format(sides=twin, answered=_ANSWERED))
