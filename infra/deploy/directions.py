"""Where a stage that is deployed is found, and what to type next."""

from __future__ import annotations

from collections.abc import Mapping

from infra.deploy.keys import Kind
from infra.deploy.root import Address, Roots
from infra.deploy.settings import StageSettings
from infra.deploy.terminal import Terminal


def base(roots: Roots, api: Address) -> Address:
    """The address to give away: that of the user's own first, that of the REST API last, since it has a path."""
    return roots.domain or roots.url or api


def addresses(terminal: Terminal, roots: Roots, api: Address) -> None:
    """All of them."""
    terminal.say(f"  address     {base(roots, api)}")
    if roots.domain:
        terminal.say(f"  DNS record  {roots.dns}")
        if roots.url:
            terminal.say(f"  also        {roots.url}")
    if roots.domain or roots.url:
        terminal.say(f"  REST API    {api}")
    else:
        terminal.say("              (with a path, which SDKs drop: function_url or domain_name give one without)")


def tell(
    terminal: Terminal, settings: StageSettings, region: str, outputs: Mapping[str, str], roots: Roots, api: Address
) -> None:
    """After a deployment."""
    name, found, say = settings.stage, base(roots, api), terminal.say
    say(f"\nStage {name} is deployed.\n")
    addresses(terminal, roots, api)
    say("  send to     $BASE/e/$EVENT_KEY")
    say(f"  keys        make keys STAGE={name}   (shows them: make keys STAGE={name} ARGS='show event')")
    if outputs.get("DashboardName"):
        console = f"https://{region}.console.aws.amazon.com/cloudwatch/home?region={region}"
        say(f"  dashboard   {console}#dashboards/dashboard/{outputs['DashboardName']}")
    if not settings.alarm_email:
        say(f"  alarms      go to nobody yet: set alarm_email under [stages.{name}] in infra/settings.toml")
    say("\nNext:\n")
    say(f"  export BASE={found.url}")
    for variable, kind in (("EVENT_KEY", Kind.EVENT), ("SIGNING_KEY", Kind.SIGNING)):
        say(f"  export {variable}=$(make -s keys STAGE={name} ARGS='show {kind.value}' | head -1)")
    host = f"-H 'Host: {found.host}' " if found.host else ""
    say(f'  curl {host}$BASE/e/$EVENT_KEY -d \'{{"name": "demo/hello", "data": {{"name": "world"}}}}\'')
    say(f'  curl {host}-H "Authorization: Bearer $SIGNING_KEY" $BASE/v1/runs')
    if roots.domain or roots.url:
        say("\nAn app on an Inngest SDK:\n")
        say("  INNGEST_BASE_URL=$BASE INNGEST_EVENT_KEY=$EVENT_KEY INNGEST_SIGNING_KEY=$SIGNING_KEY INNGEST_DEV=0")
