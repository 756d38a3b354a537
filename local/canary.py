"""Secrets that the demo and the tests put where a deployment has real ones; whoever finds one elsewhere has found a leak."""

MARK = "c4nary"

WEBHOOK_SECRET = f"{MARK}-webhook-secret"
WEBHOOK_USER = f"{MARK}-webhook-user"
WEBHOOK_PASSWORD = f"{MARK}-webhook-password"
WEBHOOK_PATH = f"{MARK}-webhook-path"
WEBHOOK_QUERY = f"{MARK}-webhook-query"
# One that somebody has written into a URL of the live tests, and one that they only name.
PACK_QUERY = f"{MARK}-pack-query"
PACK_PARAMETER = f"/{MARK}-pack-secret"
PACK_SECRET = f"{MARK}-pack-secret-value"

ENVIRONMENT_VALUE = f"{MARK}-container-environment"
ENVIRONMENT = [{"name": "PASSWORD", "value": ENVIRONMENT_VALUE}]
PARAMETER = f"/{MARK}-container-secret"
PARAMETER_VALUE = f"{MARK}-container-secret-value"
SECRETS = [{"name": "API_KEY", "valueFrom": PARAMETER}]
