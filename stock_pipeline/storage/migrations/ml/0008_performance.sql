CREATE SCHEMA performance;

CREATE TABLE "performance"."daily_performance" (
    "model" VARCHAR NOT NULL,
    "training_id" VARCHAR NOT NULL,
    "origin" VARCHAR NOT NULL,
    "session" DATE NOT NULL,
    "stocks" INTEGER NOT NULL,
    "rank_ic" DOUBLE,
    "hit_rate" DOUBLE,
    "long_short_return" DOUBLE NOT NULL
);
