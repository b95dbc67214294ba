#!/bin/sh
# PostgreSQL's image runs this once, over an empty data folder: a role and a database each.
set -eu
psql --quiet --set=ON_ERROR_STOP=1 --username=postgres --dbname=postgres \
    --set=mlflow="$MLFLOW_DATABASE_PASSWORD" --set=prefect="$PREFECT_DATABASE_PASSWORD" <<'SQL'
CREATE ROLE mlflow LOGIN PASSWORD :'mlflow';
CREATE ROLE prefect LOGIN PASSWORD :'prefect';
CREATE DATABASE mlflow OWNER mlflow;
CREATE DATABASE prefect OWNER prefect;
REVOKE CONNECT ON DATABASE mlflow, prefect FROM PUBLIC;
SQL
