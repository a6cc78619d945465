CREATE SCHEMA backtest;

CREATE TABLE "backtest"."daily_returns" (
    "as_of" DATE NOT NULL,
    "model" VARCHAR NOT NULL,
    "session" DATE NOT NULL,
    "fill" VARCHAR NOT NULL,
    "gross_return" DOUBLE NOT NULL,
    "cost" DOUBLE NOT NULL,
    "net_return" DOUBLE NOT NULL,
    "turnover" DOUBLE NOT NULL,
    "holdings" INTEGER NOT NULL,
    "unpriced" INTEGER NOT NULL,
    "benchmark_return" DOUBLE NOT NULL,
    "equity" DOUBLE NOT NULL,
    "benchmark_equity" DOUBLE NOT NULL,
    "drawdown" DOUBLE NOT NULL
);

CREATE TABLE "backtest"."summary" (
    "as_of" DATE NOT NULL,
    "model" VARCHAR NOT NULL,
    "metric" VARCHAR NOT NULL,
    "value" DOUBLE
);
