"""Compares what the functions did with what their roles allow: the local AWS itself asks nobody."""

import re

# A call of a function has another name in a role.
_ASKED_FOR = {"Invoke": "InvokeFunction"}

# The calls that more than one function makes, and those functions.  Every other call is one function's alone.
SHARED = {
    # Alarms of a service are asked before a release and while it bakes, and by each poll while its traffic moves.
    "cloudwatch:DescribeAlarms": {"release", "health-test"},
    # The ledger is one table: each function reads and writes the rows of its own step.
    "dynamodb:BatchGetItem": {"release", "retag", "deploy", "health-test", "rollback", "alert", "signal", "dashboard"},
    "dynamodb:Query": {"release", "retag", "deploy", "health-test", "alert", "signal", "dashboard"},
    "dynamodb:PutItem": {"release", "retag", "deploy", "health-test", "alert", "signal"},
    "dynamodb:UpdateItem": {"release", "retag", "deploy", "health-test", "rollback", "signal"},
    # Nothing is written of what somebody else holds, or has stopped.
    "dynamodb:ConditionCheckItem": {"release", "deploy"},
    # A release reads which image a tag names, and retag reads the manifest that it writes again.
    "ecr:BatchGetImage": {"release", "retag"},
    # Each looks at the service itself: a release before it opens, deploy and rollback before they write, and
    # health-test afterwards.
    "ecs:DescribeServices": {"release", "deploy", "health-test", "rollback"},
    # How the traffic of a service shifts; a rollback answers the gate that waits, too.
    "ecs:ListServiceDeployments": {"release", "deploy", "health-test", "rollback"},
    "ecs:DescribeServiceDeployments": {"deploy", "health-test", "rollback"},
    "ecs:ContinueServiceDeployment": {"deploy", "rollback"},
    "ecs:DescribeTaskDefinition": {"release", "deploy", "health-test", "rollback"},
    "ecs:DescribeTasks": {"release", "health-test"},
    "ecs:ListTasks": {"release", "health-test"},
    # A rollback is an update of the service, too; a restore point that is not ACTIVE is registered again.
    "ecs:RegisterTaskDefinition": {"deploy", "rollback"},
    "ecs:UpdateService": {"deploy", "rollback"},
    # Each its own parameters: the live tests, and the alert channels.
    "ssm:GetParameter": {"health-test", "alert", "signal"},
    # Whose cluster and whose alarms something is about, and which environments there are.
    "ssm:GetParametersByPath": {"release", "signal", "dashboard"},
    # The same channels, for releases and for what is of none.
    "sns:Publish": {"alert", "signal"},
    # What is given up; Lambda itself asks for it where an event is.
    "sqs:SendMessage": {"alert", "signal"},
    # Whether the holder of a lease has ended, how a release has, and what a plan has found.
    "states:DescribeExecution": {"release", "alert", "dashboard-acts"},
    # What follows a release, what comes back to an alert, and what a button asks for.
    "states:StartExecution": {"release", "alert", "signal", "dashboard-acts"},
}


def faults(cloud, stack: str) -> list[str]:
    """What is wrong with the roles, by the calls so far, whatever the resource: a right that is missing or too much."""
    allowed, made, found = _allowed(cloud, stack), _made(cloud), set()
    for function, action in made:
        if action not in allowed.get(function, ()):
            found.add(f"{function}: {action}: its role does not allow it")
        for other in allowed:
            if other != function and action in allowed[other] and other not in SHARED.get(action, ()):
                found.add(f"{other}: {action}: its role allows what is for {function} alone")
    for action, functions in SHARED.items():
        missing = {function for function in functions if action not in allowed.get(function, ())}
        found |= {f"{function}: {action}: said to be shared, and not allowed" for function in missing}
    return sorted(found)


def _made(cloud) -> set[tuple[str, str]]:
    """The calls so far: which function made them, and what its role was asked for."""
    made = set()
    for call in cloud.calls():
        function = call["agent"].removeprefix("tidegate-")
        if function != call["agent"]:
            # A role is asked for the parts of a transaction.
            parts = [f"{part}Item" for part in call["parts"]]
            asked = parts or [_ASKED_FOR.get(call["operation"], call["operation"])]
            made |= {(function, f"{call['service']}:{action}") for action in asked}
    return made


def _allowed(cloud, stack: str) -> dict[str, set[str]]:
    """The actions of each function's role, by the function's name."""
    iam, allowed = cloud.client("iam"), {}
    resources = cloud.client("cloudformation").describe_stack_resources(StackName=stack)["StackResources"]
    for resource in resources:
        name = resource["LogicalResourceId"].removesuffix("FunctionRole")
        if name == resource["LogicalResourceId"]:
            continue
        role, actions = resource["PhysicalResourceId"], set()
        documents = [
            iam.get_role_policy(RoleName=role, PolicyName=policy)["PolicyDocument"]
            for policy in iam.list_role_policies(RoleName=role)["PolicyNames"]
        ]
        for policy in iam.list_attached_role_policies(RoleName=role)["AttachedPolicies"]:
            if ":aws:policy/" not in policy["PolicyArn"]:
                version = iam.get_policy(PolicyArn=policy["PolicyArn"])["Policy"]["DefaultVersionId"]
                found = iam.get_policy_version(PolicyArn=policy["PolicyArn"], VersionId=version)["PolicyVersion"]
                documents.append(found["Document"])
        for document in documents:
            for statement in document["Statement"]:
                some = statement["Action"]
                actions.update([some] if isinstance(some, str) else some)
        allowed[re.sub("(?<=[a-z])(?=[A-Z])", "-", name).lower()] = actions
    return allowed
