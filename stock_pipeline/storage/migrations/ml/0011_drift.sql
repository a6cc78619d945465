CREATE SCHEMA drift;

CREATE TABLE "drift"."feature_drift" (
    "as_of" DATE NOT NULL,
    "feature" VARCHAR NOT NULL,
    "statistic" VARCHAR NOT NULL,
    "value" DOUBLE,
    "p_value" DOUBLE,
    "severity" VARCHAR NOT NULL,
    "reference_from" DATE,
    "reference_to" DATE,
    "current_from" DATE,
    "current_to" DATE,
    "reference_rows" BIGINT NOT NULL,
    "current_rows" BIGINT NOT NULL
);
