#!/bin/sh
# Two roles: the owner migrates; the application's can read and write rows and create nothing. The ledger's migration
# takes UPDATE and DELETE on the ledger away from it.
set -eu
psql -v ON_ERROR_STOP=1 -U postgres -v owner="$OWNER_PASSWORD" -v app="$APP_PASSWORD" <<'SQL'
CREATE ROLE countersign_owner LOGIN PASSWORD :'owner';
CREATE ROLE countersign_app LOGIN PASSWORD :'app';
CREATE DATABASE countersign OWNER countersign_owner;
REVOKE ALL ON DATABASE countersign FROM PUBLIC;
GRANT CONNECT ON DATABASE countersign TO countersign_app;
\connect countersign
GRANT USAGE ON SCHEMA public TO countersign_app;
GRANT ALL ON SCHEMA public TO countersign_owner;
ALTER DEFAULT PRIVILEGES FOR ROLE countersign_owner GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO countersign_app;
ALTER DEFAULT PRIVILEGES FOR ROLE countersign_owner GRANT USAGE, SELECT ON SEQUENCES TO countersign_app;
SQL
