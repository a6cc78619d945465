CREATE SCHEMA portfolio;

CREATE TABLE "portfolio"."suggested_stocks" (
    "session" DATE NOT NULL,
    "profile" VARCHAR NOT NULL,
    "rank" INTEGER NOT NULL,
    "symbol" VARCHAR NOT NULL,
    "name" VARCHAR,
    "sector" VARCHAR,
    "close" DOUBLE NOT NULL,
    "volatility" DOUBLE NOT NULL,
    "dollar_volume" DOUBLE NOT NULL,
    "predicted_return" DOUBLE,
    "risk_score" DOUBLE NOT NULL,
    "total_score" DOUBLE NOT NULL,
    "weight" DOUBLE NOT NULL,
    "reason" VARCHAR NOT NULL
);
