"""ferricorn.db against real Postgres, directly and through real PgBouncer, with psycopg2 as the yardstick."""
