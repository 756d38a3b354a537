"""Compares what the functions did with what their roles allow: the local AWS itself asks nobody."""

# A role is asked for the parts of a transaction; which parts it had is in no record.
_ASKED_FOR = {"TransactWriteItems": "ConditionCheckItem", "TransactGetItems": "GetItem"}


def unpermitted(cloud, stack: str) -> list[str]:
    """The calls so far that AWS would have refused, as `<function>: <action>`, whatever the resource."""
    allowed = _allowed(cloud, stack)
    refused = set()
    for call in cloud.calls():
        function = call["agent"].removeprefix("tidegate-")
        operation = _ASKED_FOR.get(call["operation"], call["operation"])
        action = f"{call['service']}:{operation}"
        if function != call["agent"] and action not in allowed.get(function, ()):
            refused.add(f"{function}: {action}")
    return sorted(refused)


def _allowed(cloud, stack: str) -> dict[str, set[str]]:
    """The actions of each function's role, by the function's name."""
    iam, allowed = cloud.client("iam"), {}
    resources = cloud.client("cloudformation").describe_stack_resources(StackName=stack)["StackResources"]
    for resource in resources:
        name = resource["LogicalResourceId"].removesuffix("FunctionRole")
        if name == resource["LogicalResourceId"]:
            continue
        role, actions = resource["PhysicalResourceId"], set()
        for policy in iam.list_role_policies(RoleName=role)["PolicyNames"]:
            document = iam.get_role_policy(RoleName=role, PolicyName=policy)["PolicyDocument"]
            for statement in document["Statement"]:
                some = statement["Action"]
                actions.update([some] if isinstance(some, str) else some)
        allowed["health-test" if name == "HealthTest" else name.lower()] = actions
    return allowed
