"""CloudWatch Logs: filters mean what they say, and a stream that does not exist fails a search.

Plain ministack takes `?A ?B` for two terms that must both be there and `%A%` for a text with percent signs, ignores
case, lets every line through that is asked for by its JSON, and calls a stream empty that nobody has made.
"""

import fnmatch
import json
import re
from collections.abc import Callable

from ministack.core.responses import error_response_json
from ministack.services import cloudwatch_logs

from .wrap import Response, need, wrap

need(cloudwatch_logs, "_log_groups", "_resolve_log_group_name")

Matcher = Callable[[str], bool]

_TERM = re.compile(r'([?-]?)(?:%([^%]*)%|"((?:[^"\\]|\\.)*)"|(\S+))')
_COMPARED = re.compile(r'^\s*\$\.([\w.-]+)\s*(!=|>=|<=|=|>|<)\s*(?:"([^"]*)"|%([^%]*)%|(\S+))\s*$')


@wrap(cloudwatch_logs, "_compile_filter_pattern")
def compiled(original, raw: str) -> Matcher:
    pattern = (raw or "").strip()
    if pattern.startswith("{") and pattern.endswith("}"):
        return _of_fields(pattern[1:-1])
    if pattern.startswith("["):
        return original(raw)
    terms = [(sign, _term(regex, phrase, word)) for sign, regex, phrase, word in _TERM.findall(pattern)]
    optional = [matches for sign, matches in terms if sign == "?"]
    needed = [matches for sign, matches in terms if sign == ""]
    absent = [matches for sign, matches in terms if sign == "-"]
    if needed or absent:
        # Beside other terms, those with a question mark do not count.
        return lambda line: all(m(line) for m in needed) and not any(m(line) for m in absent)
    return lambda line: not optional or any(matches(line) for matches in optional)


@wrap(cloudwatch_logs, "_subscription_pattern_matches")
def subscribed(original, pattern: str, message: str) -> bool:
    return cloudwatch_logs._compile_filter_pattern(pattern)(message or "")


def _term(regex: str, phrase: str, word: str) -> Matcher:
    if regex:
        found = re.compile(regex)
        return lambda line: found.search(line) is not None
    text = phrase.replace('\\"', '"') or word
    return lambda line: text in line


def _of_fields(condition: str) -> Matcher:
    """Comparisons of fields, joined by `&&`, or by `||`, which binds less."""
    either = [[_compared(one) for one in part.split("&&")] for part in condition.split("||")]

    def matches(line: str) -> bool:
        try:
            fields = json.loads(line)
        except ValueError:
            return False
        return isinstance(fields, dict) and any(all(one(fields) for one in part) for part in either)

    return matches


def _compared(comparison: str) -> Callable[[dict], bool]:
    known = _COMPARED.match(comparison.strip().strip("()"))
    if known is None:
        return lambda _: False
    path, operator, text, regex, bare = known.groups()

    def holds(fields: dict) -> bool:
        value = fields
        for key in path.split("."):
            if not isinstance(value, dict) or key not in value:
                return False
            value = value[key]
        if regex is not None:
            return (re.search(regex, str(value)) is not None) == (operator == "=")
        if operator in ("=", "!="):
            wanted = text if text is not None else bare
            said = value if isinstance(value, str) else json.dumps(value)
            return fnmatch.fnmatchcase(said, wanted) == (operator == "=")
        return _in_order(operator, value, bare)

    return holds


def _in_order(operator: str, value, bare: str | None) -> bool:
    try:
        limit = float(bare or "")
    except ValueError:
        return False
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return False
    return {">": value > limit, "<": value < limit, ">=": value >= limit, "<=": value <= limit}[operator]


@wrap(cloudwatch_logs, "_filter_log_events")
def only_streams_that_exist(original, data: dict) -> Response:
    group = cloudwatch_logs._log_groups.get(cloudwatch_logs._resolve_log_group_name(data))
    named = data.get("logStreamNames") or []
    if len(named) > 100:
        message = "Member must have length less than or equal to 100"
        return error_response_json("InvalidParameterException", message, 400)
    if group is not None and any(name not in group["streams"] for name in named):
        message = "The specified log stream does not exist."
        return error_response_json("ResourceNotFoundException", message, 400)
    return original(data)
