"""What can go wrong for whoever deploys, in words that say what to do."""

from __future__ import annotations

from typing import Final

from botocore import exceptions as aws


class DeployError(Exception):
    """Something the user can put right; its text is shown without a traceback."""


_CREDENTIALS: Final = (
    "Set AWS_PROFILE to a profile of ~/.aws/config, or run `aws configure` (or `aws sso login`), and try again."
)
_DENIED: Final = frozenset(
    {"AccessDenied", "AccessDeniedException", "UnauthorizedOperation", "AuthorizationError", "Forbidden", "403"}
)
_EXPIRED: Final = frozenset({"ExpiredToken", "ExpiredTokenException", "RequestExpired", "TokenRefreshRequired"})
_UNKNOWN_KEYS: Final = frozenset(
    {
        "InvalidClientTokenId",
        "UnrecognizedClientException",
        "SignatureDoesNotMatch",
        "InvalidAccessKeyId",
        "AuthFailure",
    }
)
_BUSY: Final = frozenset({"Throttling", "ThrottlingException", "TooManyRequestsException", "RequestLimitExceeded"})


def explain(error: BaseException) -> str | None:
    """The error in plain words; None for one that only a developer can mend."""
    if isinstance(error, DeployError):
        return str(error)
    if isinstance(error, aws.NoCredentialsError | aws.CredentialRetrievalError | aws.PartialCredentialsError):
        return f"There are no AWS credentials: {error}\n{_CREDENTIALS}"
    if isinstance(error, aws.SSOTokenLoadError | aws.UnauthorizedSSOTokenError | aws.TokenRetrievalError):
        return f"The AWS login is not valid any more: {error}\nRun `aws sso login` and try again."
    if isinstance(error, aws.NoRegionError):
        return "No AWS region is chosen. Set AWS_REGION (such as eu-central-1), or pass --region, and try again."
    if isinstance(error, aws.ProfileNotFound):
        return f"{error}. `aws configure list-profiles` lists those that there are."
    if isinstance(error, aws.HTTPClientError | aws.EndpointConnectionError):
        return (
            f"AWS cannot be reached: {error}\nCheck the network, a proxy, and the region; then run the command again."
        )
    if isinstance(error, aws.ParamValidationError):
        return None
    if isinstance(error, aws.ClientError):
        return _explain_answer(error)
    if isinstance(error, aws.WaiterError):
        return f"AWS did not finish in time: {error}\nRun the command again; it goes on from where things stand."
    return None


def code(error: aws.ClientError) -> str:
    """The error code of an answer."""
    return str(error.response.get("Error", {}).get("Code", ""))


def _explain_answer(error: aws.ClientError) -> str:
    name, asked = code(error), error.operation_name
    said = error.response.get("Error", {}).get("Message", "") or str(error)
    if name in _DENIED:
        return (
            f"AWS refused {asked}: {said}\nThe credentials lack a permission. docs/OPERATIONS.md lists what a "
            "deployment needs; ask whoever administers the account, then run the command again."
        )
    if name in _EXPIRED:
        return f"The AWS credentials have expired ({said}). Log in again, then run the command again."
    if name in _UNKNOWN_KEYS:
        return f"AWS does not know these credentials ({said}). {_CREDENTIALS}"
    if name in _BUSY:
        return f"AWS throttled {asked}. Wait a minute and run the command again; it goes on from where things stand."
    return f"AWS answered {asked} with {name}: {said}"


def advice(action: str) -> str:
    """How to say that a command may simply be repeated."""
    return f"Nothing is lost: mend the reason and run `{action}` again; it goes on from where things stand."
