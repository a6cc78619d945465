CREATE SCHEMA models;

CREATE TABLE "models"."trainings" (
    "training_id" VARCHAR NOT NULL,
    "model" VARCHAR NOT NULL,
    "as_of" DATE NOT NULL,
    "train_from" DATE NOT NULL,
    "train_to" DATE NOT NULL,
    "rows" BIGINT NOT NULL,
    "sessions" INTEGER NOT NULL,
    "features" INTEGER NOT NULL,
    "features_hash" VARCHAR NOT NULL,
    "parameters" VARCHAR NOT NULL,
    "seed" BIGINT NOT NULL,
    "threads" INTEGER NOT NULL,
    "artefact" VARCHAR NOT NULL,
    "size_bytes" BIGINT NOT NULL,
    "sha256" VARCHAR NOT NULL
);

CREATE TABLE "models"."out_of_fold_predictions" (
    "training_id" VARCHAR NOT NULL,
    "model" VARCHAR NOT NULL,
    "fold" INTEGER NOT NULL,
    "session" DATE NOT NULL,
    "symbol" VARCHAR NOT NULL,
    "score" DOUBLE NOT NULL,
    "target" DOUBLE NOT NULL,
    "forward_return" DOUBLE NOT NULL
);

CREATE TABLE "models"."scores" (
    "training_id" VARCHAR NOT NULL,
    "fold" INTEGER NOT NULL,
    "metric" VARCHAR NOT NULL,
    "model" VARCHAR NOT NULL,
    "as_of" DATE NOT NULL,
    "value" DOUBLE,
    "observations" BIGINT NOT NULL
);
