"""CloudWatch: GetMetricData computes, and answers the newest period first.

Plain ministack knows no expressions and answers the oldest first. Here an expression is `+`, `-`, `*` and `/` over the
names of other queries and numbers, with parentheses; where a period of one of them has no value, it has none either.
"""

import ast
import json
import operator

from ministack.services import cloudwatch

from .wrap import Response, need, wrap

need(cloudwatch, "_cbor_ok", "_json_ok", "_cbor_metric_data_result")

_OPERATORS = {ast.Add: operator.add, ast.Sub: operator.sub, ast.Mult: operator.mul, ast.Div: operator.truediv}
_KNOWN = (ast.BinOp, ast.UnaryOp, ast.USub, ast.Name, ast.Load, ast.Constant, *_OPERATORS)
Series = dict[str, float]


@wrap(cloudwatch, "_get_metric_data")
def computed(original, params, cbor_data, is_cbor, is_json=False) -> Response:
    if not (is_cbor or is_json):
        return original(params, cbor_data, is_cbor, is_json)
    queries = cbor_data.get("MetricDataQueries") or []
    read = [{**query, "ReturnData": True} for query in queries if not query.get("Expression")]
    answer = original(params, {**cbor_data, "MetricDataQueries": read}, False, True)
    results = {result["Id"]: result for result in json.loads(answer[2])["MetricDataResults"]}
    series = {name: dict(zip(each["Timestamps"], each["Values"])) for name, each in results.items()}
    for query in queries:
        if query.get("Expression"):
            results[query["Id"]] = _result(query, queries, series)
    wanted = [results[query["Id"]] for query in queries if query.get("ReturnData", True)]
    if cbor_data.get("ScanBy") != "TimestampAscending":
        for result in wanted:
            result["Timestamps"].reverse()
            result["Values"].reverse()
    if is_cbor:
        encoded = [cloudwatch._cbor_metric_data_result(result) for result in wanted]
        return cloudwatch._cbor_ok({"MetricDataResults": encoded})
    return cloudwatch._json_ok({"MetricDataResults": wanted})


def _result(query: dict, queries: list[dict], series: dict[str, Series]) -> dict:
    """What a query comes to that computes."""
    result = {"Id": query["Id"], "Label": query.get("Label", query["Id"]), "StatusCode": "Complete"}
    expressions = {each["Id"]: each["Expression"] for each in queries if each.get("Expression")}
    try:
        names, value = _prepared(query["Id"], expressions, ())
    except (SyntaxError, ValueError) as wrong:
        messages = [{"Code": "ArgumentError", "Value": str(wrong)}]
        return {**result, "StatusCode": "InternalError", "Messages": messages, "Timestamps": [], "Values": []}
    periods = set.intersection(*(set(series.get(name, {})) for name in names)) if names else set()
    found = {period: value({name: series[name][period] for name in names}) for period in sorted(periods)}
    found = {period: number for period, number in found.items() if number is not None}
    return {**result, "Timestamps": list(found), "Values": list(found.values())}


def _prepared(name: str, expressions: dict[str, str], above: tuple[str, ...]):
    """The queries that an expression reads in the end, and how it computes one period of them."""
    if name in above:
        raise ValueError(f"{name} is computed from itself")
    tree, names = ast.parse(expressions[name].strip(), mode="eval").body, set()
    for node in ast.walk(tree):
        if not isinstance(node, _KNOWN):
            raise ValueError(f"the local CloudWatch computes + - * / alone, not {ast.unparse(tree)}")
        if isinstance(node, ast.Name) and node.id in expressions:
            names |= _prepared(node.id, expressions, (*above, name))[0]
        elif isinstance(node, ast.Name):
            names.add(node.id)
    return names, lambda known: _computed(tree, expressions, known)


def _computed(node: ast.expr, expressions: dict[str, str], known: dict[str, float]) -> float | None:
    match node:
        case ast.Constant(value=number):
            return float(number)
        case ast.UnaryOp(operand=operand):
            number = _computed(operand, expressions, known)
            return None if number is None else -number
        case ast.Name(id=name) if name in expressions:
            return _computed(ast.parse(expressions[name].strip(), mode="eval").body, expressions, known)
        case ast.Name(id=name):
            return known[name]
        case ast.BinOp(left=left, op=op, right=right):
            left, right = _computed(left, expressions, known), _computed(right, expressions, known)
            if left is None or right is None or (right == 0 and isinstance(op, ast.Div)):
                return None
            return _OPERATORS[type(op)](left, right)
    return None
