CREATE TABLE "features"."fundamental_ratios" (
    "symbol" VARCHAR NOT NULL,
    "session" DATE NOT NULL,
    "pe" DOUBLE,
    "pb" DOUBLE,
    "roe" DOUBLE,
    "operating_margin" DOUBLE,
    "net_margin" DOUBLE,
    "revenue_growth" DOUBLE,
    "debt_to_equity" DOUBLE,
    "market_value" DOUBLE
);
