"""A request becomes the call of a view: its parameters read, its errors answered."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from chalice.app import Response

from chalicelib.core.metrics import Metric
from chalicelib.web.errors import answer_to
from chalicelib.web.large import fitting
from chalicelib.web.table import Route

if TYPE_CHECKING:
    from chalicelib.wiring import Platform


def platform() -> Platform:
    """This process's platform. Imported late: loading the app costs nothing of AWS."""
    from chalicelib import wiring

    return wiring.platform()


def count_fault() -> None:
    """A request was answered with a fault of ours. Lambda takes the answer for a success and counts no error."""
    try:
        p = platform()
    except Exception:
        return  # Without a platform no function of the queues can begin: Lambda counts their errors.
    with p.invocation():
        p.metrics.count(Metric.REQUESTS_FAILED)


def load_view(route: Route) -> Any:
    module, _, name = route.view.partition(".")
    return getattr(importlib.import_module(f"chalicelib.web.views.{module}"), name)


def load_model(name: str) -> Any:
    return getattr(importlib.import_module("chalicelib.web.models"), name)


def dispatch(route: Route, request: Any, captured: Mapping[str, str]) -> Response:
    """The answer to a request, whatever happens."""
    try:
        # They stay percent-encoded until here.
        arguments: dict[str, Any] = {name: unquote(value) for name, value in captured.items()}
        if route.parameters is not None:
            arguments["params"] = load_model(route.parameters).read(request.query_params or {})
        if route.body is not None and not route.takes_body:
            model = load_model(route.body)
            read = model.read if route.needs_body else model.read_if_any
            arguments["body"] = read(request.raw_body)
        if route.takes_body or route.takes_request or route.takes_any_type:
            arguments["request"] = request
        view, p = load_view(route), platform()
        with p.invocation():
            found = view(p, **arguments)
        answer = found if isinstance(found, Response) else Response(body=found, status_code=200)
        return fitting(p, answer, may_lie_elsewhere=route.may_lie_elsewhere)
    except Exception as error:
        return answer_to(error, request)
