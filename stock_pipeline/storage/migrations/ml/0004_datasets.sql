CREATE SCHEMA datasets;

CREATE TABLE "datasets"."walk_forward_splits" (
    "as_of" DATE NOT NULL,
    "fold" INTEGER NOT NULL,
    "train_from" DATE NOT NULL,
    "train_to" DATE NOT NULL,
    "test_from" DATE NOT NULL,
    "test_to" DATE NOT NULL,
    "train_sessions" INTEGER NOT NULL,
    "test_sessions" INTEGER NOT NULL,
    "purge" INTEGER NOT NULL,
    "embargo" INTEGER NOT NULL
);
