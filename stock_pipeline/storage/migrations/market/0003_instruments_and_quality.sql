CREATE TABLE "market_data"."new_daily_bars" (
    "symbol" VARCHAR NOT NULL,
    "session" DATE NOT NULL,
    "open" DOUBLE NOT NULL,
    "high" DOUBLE NOT NULL,
    "low" DOUBLE NOT NULL,
    "close" DOUBLE NOT NULL,
    "volume" DOUBLE NOT NULL,
    "adj_close" DOUBLE,
    "basis" VARCHAR NOT NULL,
    "actions_known" BOOLEAN NOT NULL,
    "source" VARCHAR NOT NULL,
    "known_from" DATE NOT NULL,
    "known_to" DATE
);

INSERT INTO "market_data"."new_daily_bars"
SELECT symbol, session, open, high, low, close, volume, adj_close, 'raw', adj_close IS NOT NULL, source, known_from, known_to
FROM "market_data"."daily_bars" ORDER BY session, symbol;

DROP TABLE "market_data"."daily_bars";

ALTER TABLE "market_data"."new_daily_bars" RENAME TO "daily_bars";

CREATE TABLE "market_data"."new_instruments" (
    "instrument" VARCHAR NOT NULL,
    "symbol" VARCHAR NOT NULL,
    "name" VARCHAR,
    "exchange" VARCHAR,
    "currency" VARCHAR,
    "sector" VARCHAR,
    "industry" VARCHAR,
    "contract" VARCHAR,
    "delisted_on" DATE,
    "source" VARCHAR NOT NULL
);

INSERT INTO "market_data"."new_instruments"
SELECT symbol, symbol, name, NULL, NULL, sector, industry, NULL, NULL, source FROM "market_data"."instruments";

DROP TABLE "market_data"."instruments";

ALTER TABLE "market_data"."new_instruments" RENAME TO "instruments";

CREATE TABLE "market_data"."symbol_history" (
    "symbol" VARCHAR NOT NULL,
    "first_session" DATE NOT NULL,
    "last_session" DATE,
    "instrument" VARCHAR NOT NULL
);

INSERT INTO "market_data"."symbol_history"
SELECT symbol, min(session), NULL, symbol FROM "market_data"."daily_bars" GROUP BY symbol;

CREATE TABLE "market_data"."universe_members" (
    "symbol" VARCHAR NOT NULL,
    "first_session" DATE NOT NULL,
    "last_session" DATE
);

CREATE TABLE "market_data"."fundamentals" (
    "symbol" VARCHAR NOT NULL,
    "period_end" DATE NOT NULL,
    "period" VARCHAR NOT NULL,
    "item" VARCHAR NOT NULL,
    "value" DOUBLE NOT NULL,
    "currency" VARCHAR,
    "source" VARCHAR NOT NULL,
    "known_from" DATE NOT NULL,
    "known_to" DATE
);

CREATE TABLE "market_data"."bar_flags" (
    "symbol" VARCHAR NOT NULL,
    "session" DATE NOT NULL,
    "flag" VARCHAR NOT NULL,
    "value" DOUBLE NOT NULL,
    "raised_on" DATE NOT NULL,
    "withdrawn_on" DATE
);

CREATE TABLE "market_data"."new_ingestion_reports" (
    "as_of" DATE NOT NULL,
    "source" VARCHAR NOT NULL,
    "attempt" INTEGER NOT NULL,
    "symbols_asked" INTEGER NOT NULL,
    "symbols_succeeded" INTEGER NOT NULL,
    "symbols_failed" INTEGER NOT NULL,
    "bars_received" BIGINT NOT NULL,
    "bars_accepted" BIGINT NOT NULL,
    "bars_quarantined" BIGINT NOT NULL,
    "first_session" DATE,
    "seconds" DOUBLE NOT NULL
);

INSERT INTO "market_data"."new_ingestion_reports"
SELECT as_of, source, 1, symbols + symbols_failed, symbols, symbols_failed, bars_received, bars_accepted, bars_quarantined, first_session, 0
FROM "market_data"."ingestion_reports";

DROP TABLE "market_data"."ingestion_reports";

ALTER TABLE "market_data"."new_ingestion_reports" RENAME TO "ingestion_reports";

CREATE TABLE "market_data"."ingestion_failures" (
    "as_of" DATE NOT NULL,
    "symbol" VARCHAR NOT NULL,
    "source" VARCHAR NOT NULL,
    "reason" VARCHAR NOT NULL,
    "message" VARCHAR NOT NULL
);
