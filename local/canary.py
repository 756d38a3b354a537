"""Secrets that the demo and the tests put where a deployment has real ones; whoever finds one elsewhere has found a leak."""

MARK = "c4nary"

WEBHOOK_SECRET = f"{MARK}-webhook-secret"
WEBHOOK_USER = f"{MARK}-webhook-user"
WEBHOOK_PASSWORD = f"{MARK}-webhook-password"
WEBHOOK_PATH = f"{MARK}-webhook-path"
WEBHOOK_QUERY = f"{MARK}-webhook-query"
# A live test has no other place for one than its URL.
PACK_QUERY = f"{MARK}-pack-query"

ENVIRONMENT_VALUE = f"{MARK}-container-environment"
ENVIRONMENT = [{"name": "PASSWORD", "value": ENVIRONMENT_VALUE}]
PARAMETER = f"/{MARK}-container-secret"
PARAMETER_VALUE = f"{MARK}-container-secret-value"
SECRETS = [{"name": "API_KEY", "valueFrom": PARAMETER}]
