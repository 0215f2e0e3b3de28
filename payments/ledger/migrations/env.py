"""Alembic's entry: one connection, one transaction."""

from alembic import context
from sqlalchemy import create_engine, pool

engine = create_engine(context.config.get_main_option("sqlalchemy.url") or "", poolclass=pool.NullPool)
with engine.connect() as connection:
    # whoever works on a table waits behind us while we wait for it: we give up soon, and come again
    connection.exec_driver_sql("SET lock_timeout = '2s'")
    connection.commit()
    context.configure(connection=connection)
    with context.begin_transaction():
        context.run_migrations()
engine.dispose()
