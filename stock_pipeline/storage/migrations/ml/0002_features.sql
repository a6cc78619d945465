CREATE SCHEMA features;

CREATE TABLE "features"."daily_features" (
    "symbol" VARCHAR NOT NULL,
    "session" DATE NOT NULL
);
