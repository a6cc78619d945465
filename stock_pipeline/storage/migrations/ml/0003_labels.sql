CREATE SCHEMA labels;

CREATE TABLE "labels"."daily_labels" (
    "symbol" VARCHAR NOT NULL,
    "session" DATE NOT NULL,
    "forward_return" DOUBLE,
    "direction" TINYINT,
    "forward_volatility" DOUBLE
);
