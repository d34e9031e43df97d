"""What Alembic runs: the revisions, on the connection that it is given, inside of its transaction."""

from alembic import context

from streams.facts.schema import VERSION_TABLE

context.configure(connection=context.config.attributes["connection"], version_table=VERSION_TABLE)
with context.begin_transaction():
    context.run_migrations()
