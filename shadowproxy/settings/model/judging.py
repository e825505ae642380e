"""What is compared, and how it is judged: routes, comparison, statistics."""

from __future__ import annotations

from typing import Literal

from shadowproxy.settings import fields as f
from shadowproxy.settings.model.section import Section, optional


class Match(Section):
    path: f.PathGlob | None = optional(None, "Path with * (within a segment) and ** (across); default: any.")
    methods: tuple[f.Method, ...] = optional((), "Methods; default: any.")
    headers: dict[f.HeaderName, f.Text] = optional({}, "Header → value, in which * stands for anything.")
    query: dict[str, f.Text] = optional({}, "Query parameter → value, in which * stands for anything.")
    json_: dict[f.DefiniteJsonPath, f.JsonValue] = optional(
        {}, "JSONPath in the request's body → value it must have.", alias="json"
    )


class Prediction(Section):
    at: f.JsonPath | None = optional(None, "JSONPath of the decision; several matches are a batch's items.")
    is_: Literal["label", "probabilities", "score", "number", "ranking", "text", "embedding", "boxes", "opaque"] = (
        optional("opaque", "What kind of decision it is.", alias="is")
    )
    key: f.ItemKey | None = optional(
        None, "Member of an item, or JSONPath from the root, by which items are paired; default: by position."
    )
    threshold: f.Number | None = optional(
        None, "score: the decision is the side of it that the score lies on; default: 0.5."
    )
    tolerance: f.NotNegative | None = optional(
        None, "number: differences up to it are agreement; default: compare's tolerance."
    )
    top: f.Count | None = optional(None, "ranking: so many first places are the decision; default: all.")


class Tolerance(Section):
    absolute: f.NotNegative = optional(0, "Numbers that differ by no more are equal.")
    relative: f.NotNegative = optional(1e-9, "Likewise, as a part of the larger of the two.")
    by_datatype: f.Switch = optional(
        True, "Numbers of a known type may also miss what its rounding brings (protocols.md)."
    )


class Compare(Section):
    up_to: f.Size = optional("256KiB", "Longer bodies are compared as bytes, not value by value.")
    ignore: tuple[f.Ignored, ...] = optional((), "JSONPaths, and header:NAME, that are not compared.")
    tolerance: Tolerance = optional(Tolerance(), "When two numbers count as equal.")
    unordered: tuple[f.Unordered, ...] = optional(
        (), "JSONPaths of lists whose order does not matter; PATH by MEMBER pairs their objects by that member."
    )
    headers: tuple[f.HeaderName, ...] = optional(("content-type",), "Answer headers that are compared.")


class Route(Section):
    name: f.Name | None = optional(None, "Name in reports and metrics; default: route-1, route-2, … by place.")
    match: Match = optional(Match(), "All that is given must hold; nothing given matches everything.")
    candidates: tuple[f.Name, ...] | None = optional(None, "Candidates that get copies; default: all.")
    protocol: f.Preset = optional(
        "auto", "Model server's protocol; auto: recognised by the path; none: plain JSON or bytes."
    )
    prediction: Prediction | None = optional(None, "What the model decided; presets fill it in.")
    key: f.JoinKey = optional("id", "What labels are joined on: id, header:NAME, json:$.path, answer:$.path.")
    slices: dict[f.Name, f.SliceSource] = optional(
        {}, "Name → header:NAME or json:$.path of the request: parts that are reported apart."
    )
    compare: Compare = optional(Compare(), "Keys given here replace those of the global compare.")


class AtLeast(Section):
    pairs: f.CountOrNone = optional(500, "No PASS before so many pairs.")
    time: f.Wait = optional("0s", "No PASS before the trial has lasted so long.")


class Statistics(Section):
    confidence: f.Share = optional("95%", "Confidence of the printed intervals.")
    bucket: f.Duration = optional("30s", "Span of arrival time that counts as one observation of a bucket.")
    coverage: f.Share = optional("95%", "Share of the meant pairs that must be logged before a gate can PASS.")
    warmup: f.Wait = optional("30s", "Pairs in a trial's first such span are shown, not judged.")
    at_least: AtLeast = optional(AtLeast(), "What a PASS needs at least.")
