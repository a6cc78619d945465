CREATE SCHEMA market_data;

CREATE TABLE "market_data"."daily_bars" (
    "symbol" VARCHAR NOT NULL,
    "session" DATE NOT NULL,
    "open" DOUBLE NOT NULL,
    "high" DOUBLE NOT NULL,
    "low" DOUBLE NOT NULL,
    "close" DOUBLE NOT NULL,
    "volume" DOUBLE NOT NULL,
    "adj_close" DOUBLE,
    "source" VARCHAR NOT NULL,
    "known_from" DATE NOT NULL,
    "known_to" DATE
);

CREATE TABLE "market_data"."corporate_actions" (
    "symbol" VARCHAR NOT NULL,
    "session" DATE NOT NULL,
    "kind" VARCHAR NOT NULL,
    "value" DOUBLE NOT NULL,
    "source" VARCHAR NOT NULL,
    "known_from" DATE NOT NULL,
    "known_to" DATE
);

CREATE TABLE "market_data"."instruments" (
    "symbol" VARCHAR NOT NULL,
    "name" VARCHAR,
    "sector" VARCHAR,
    "industry" VARCHAR,
    "source" VARCHAR NOT NULL
);

CREATE TABLE "market_data"."quarantined_bars" (
    "row" VARCHAR NOT NULL,
    "symbol" VARCHAR,
    "session" DATE,
    "reason" VARCHAR NOT NULL,
    "source" VARCHAR NOT NULL,
    "as_of" DATE NOT NULL
);

CREATE TABLE "market_data"."ingestion_reports" (
    "as_of" DATE NOT NULL,
    "source" VARCHAR NOT NULL,
    "symbols" INTEGER NOT NULL,
    "symbols_failed" INTEGER NOT NULL,
    "bars_received" BIGINT NOT NULL,
    "bars_accepted" BIGINT NOT NULL,
    "bars_quarantined" BIGINT NOT NULL,
    "first_session" DATE NOT NULL
);
