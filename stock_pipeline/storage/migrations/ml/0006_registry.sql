CREATE SCHEMA registry;

CREATE TABLE "registry"."model_versions" (
    "model" VARCHAR NOT NULL,
    "version" INTEGER NOT NULL,
    "training_id" VARCHAR NOT NULL,
    "as_of" DATE NOT NULL,
    "status" VARCHAR NOT NULL,
    "active_from" DATE,
    "active_to" DATE,
    "error" DOUBLE,
    "rank_ic" DOUBLE,
    "reason" VARCHAR NOT NULL
);
