"""What a route is: what answers it, who may ask, and what the OpenAPI document says of it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Route:
    """One method of one path.

    `view` is a function of chalicelib.web.views (`module.function`); `parameters` and `answer` are models of
    chalicelib.web.models. All three by name: they are loaded when they are needed, not when the app is.
    """

    method: str
    path: str
    view: str
    summary: str
    answer: str
    parameters: str | None = None
    errors: tuple[int, ...] = ()
    # Asks for no signing key: everything else does.
    is_open: bool = False
    # Its view looks at the request itself, whose content type may be any; else those of chalicelib.web.routes.
    takes_any_type: bool = False
    takes_body: bool = False
    # The model of a JSON body; without one, a body is an event or a list of them. And that of a refusal.
    body: str | None = None
    needs_body: bool = True
    refusal: str = "Error"
    takes_request: bool = False
    # Other answers than 200 that are no errors: status, model, and what it means.
    others: tuple[tuple[str, str, str], ...] = ()

    @property
    def may_lie_elsewhere(self) -> bool:
        """Whether an answer may be too large for Lambda, and is answered by a redirect then."""
        return self.method != "POST" and self.path.startswith(("/v0/", "/v1/")) and not self.is_open

    @property
    def name(self) -> str:
        return f"{self.method} {self.path}"

    @property
    def tag(self) -> str:
        return self.view.partition(".")[0].replace("_", " ")
