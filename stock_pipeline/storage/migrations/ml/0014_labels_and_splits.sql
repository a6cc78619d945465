-- Labels have columns for each horizon, which writes add, and are made anew from the bars. Splits are kept, as trainings rest on them.
DROP TABLE "labels"."daily_labels";

CREATE TABLE "labels"."daily_labels" (
    "symbol" VARCHAR NOT NULL,
    "session" DATE NOT NULL
);

ALTER TABLE "datasets"."walk_forward_splits" RENAME TO "expanding_splits";

CREATE TABLE "datasets"."walk_forward_splits" (
    "as_of" DATE NOT NULL,
    "fold" INTEGER NOT NULL,
    "window" VARCHAR NOT NULL,
    "train_from" DATE NOT NULL,
    "train_to" DATE NOT NULL,
    "test_from" DATE NOT NULL,
    "test_to" DATE NOT NULL,
    "train_sessions" INTEGER NOT NULL,
    "test_sessions" INTEGER NOT NULL,
    "purge" INTEGER NOT NULL,
    "embargo" INTEGER NOT NULL
);

INSERT INTO "datasets"."walk_forward_splits"
SELECT
    "as_of", "fold", 'expanding', "train_from", "train_to", "test_from", "test_to", "train_sessions", "test_sessions", "purge", "embargo"
FROM "datasets"."expanding_splits"
ORDER BY "as_of", "fold";

DROP TABLE "datasets"."expanding_splits";
