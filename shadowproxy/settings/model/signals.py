"""Whom the proxy tells its figures and lines by itself."""

from __future__ import annotations

from shadowproxy.settings import fields as f
from shadowproxy.settings.model.section import Section, optional, required


class StatsD(Section):
    to: f.Target = required("HOST:PORT of the StatsD server, UDP.")
    prefix: f.Text = optional("shadowproxy.", "What every name begins with.")
    tags: f.Switch = optional(True, "Labels as DogStatsD's tags; off: as parts of the name.")


class Graphite(Section):
    to: f.Target = required("HOST:PORT of carbon's plaintext listener, TCP.")
    prefix: f.Text = optional("shadowproxy.", "What every path begins with.")
    tags: f.Switch = optional(False, "Labels as Graphite's tags (1.1 or newer); off: as parts of the path.")
    buffer: f.Size = optional("1MiB", "Kept for a carbon that is away; beyond it the oldest is dropped, and counted.")


class Metrics(Section):
    every: f.Duration = optional("10s", "How often figures are pushed.")
    statsd: StatsD | None = optional(None, "Push to StatsD or DogStatsD.")
    graphite: Graphite | None = optional(None, "Push to Graphite.")
