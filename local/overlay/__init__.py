"""What plain ministack lacks to be the AWS that Tidegate is written for.

Every module here wraps a few functions of ministack and says which behaviour of AWS it makes true. Importing
a module installs it; one that finds a wrapped name gone, or with other parameters, stops the launcher.
"""

import importlib

_MODULES = (
    "lambdas",
    "alarms",
    "ssm_events",
    "metric_math",
    "log_streams",
    "log_filters",
    "ecr_reads",
    "ecr_errors",
    "ecr_pushes",
    "ecr_layers",
    "ecr_scans",
    "ecr_signatures",
    "ecs_requests",
    "ecs_answers",
    "ecs_pages",
    "ecs_definitions",
    "ecs_tasks",
    "ecs_instances",
    "ecs_runs",
    "ecs_shift_revisions",
    "ecs_services",
    "ecs_events",
    "target_health",
    "elb_forward",
    "elb_forward_listeners",
    "ecs_shift_tasks",
    "ecs_shift_services",
    "ecs_shift_requests",
    "ecs_shift_calls",
    "sfn_values",
    "sfn_errors",
    "sfn_events",
    "sfn_tokens",
    "sfn_executions",
    "sfn_map",
)


def install() -> None:
    """Installs all wraps; ministack must already see its environment."""
    for name in _MODULES:
        importlib.import_module(f"{__name__}.{name}")
