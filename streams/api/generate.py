"""`python -m streams.api.generate`: the API's two descriptions and the generated half of its client, written anew."""

import sys

import msgspec

from streams.api import app, asyncapi, client_files, openapi


def main() -> None:
    """Writes them; nothing where clients of the description before would trip over the new one."""
    made = app.document()
    if openapi.FILE.exists() and (found := openapi.broken(msgspec.json.decode(openapi.FILE.read_bytes()), made)):
        sys.exit("\n".join(["this would break clients of the API:", *found]))
    openapi.FILE.write_bytes(openapi.encoded(made))
    asyncapi.FILE.write_bytes(openapi.encoded(asyncapi.document()))
    for file, text in client_files.files(made).items():
        file.write_text(text)


if __name__ == "__main__":
    main()
