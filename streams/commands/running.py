"""What `packshot up` and the demo say of the system while it runs."""

import json

from streams.runtime.errors import Unavailable
from streams.runtime.masking import masked
from streams.runtime.screen import console, errors, styled
from streams.runtime.settings import Settings
from streams.services.operating.local import desk_link


def announce(settings: Settings) -> None:
    """Says what runs, and what its broker does not promise."""
    running = json.loads(settings.running_file.read_text())
    console.say(styled("packshot is up", "bold"))
    console.say(f"  broker    {running['broker']} at {running['bootstrap_servers']}")
    if running["promises"]:
        console.say(f"            {running['promises']}")
    console.say(f"  facts     {masked(settings.database)}")
    console.say(f"  blobs     {settings.blobs}")
    console.say(f"  origin    {settings.origin}")
    console.say(f"  CDN       {settings.cdn}")
    console.say(f"  API       {settings.gateway}  (a key: packshot keys create NAME --tenant TENANT)")
    console.say(f"  desk      {_desk(settings)}")
    console.say("            (signs you in, once; another: packshot desk link --tenant '*' --name NAME)")
    console.say(f"  logs      {settings.data_folder / 'logs'}")
    console.say("Ctrl-C stops it; what is not done goes on when it starts again.")


def _desk(settings: Settings) -> str:
    try:
        return desk_link(settings)
    except Unavailable:
        return f"{settings.gateway}/desk  (no link, for the database does not answer)"


def tell_death(text: str) -> None:
    """That a role died, and that it is started again."""
    errors.say(styled(text, "red"))
