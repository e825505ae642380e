"""Are two answers the same, and did they decide the same? Pure: bytes and rules in, a comparison out.

rules = compile_rules(route)
production = assess(rules, "POST", "/v2/models/digits/infer", answer)
shadow = assess(rules, "POST", "/v2/models/digits/infer", other_answer, like=production)
compare(rules, production, shadow).as_dict()
"""

from shadowproxy.compare.answer import Answer
from shadowproxy.compare.assessment import Assessed, assess
from shadowproxy.compare.comparison import Comparison, compare
from shadowproxy.compare.jsonpath import Path, compile_path
from shadowproxy.compare.rules import Rules, compile_rules

__all__ = [
    "Answer",
    "Assessed",
    "Comparison",
    "Path",
    "Rules",
    "assess",
    "compare",
    "compile_path",
    "compile_rules",
]
