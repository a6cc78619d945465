-- Trainings tell what they learnt and where; scores have parts and periods; explanations and trials are new. Scores of trainings made
-- before are those of the test sessions as a whole.
ALTER TABLE "models"."trainings" RENAME TO "earlier_trainings";

CREATE TABLE "models"."trainings" (
    "training_id" VARCHAR NOT NULL,
    "model" VARCHAR NOT NULL,
    "number" INTEGER NOT NULL,
    "as_of" DATE NOT NULL,
    "train_from" DATE NOT NULL,
    "train_to" DATE NOT NULL,
    "rows" BIGINT NOT NULL,
    "sessions" INTEGER NOT NULL,
    "features" INTEGER NOT NULL,
    "features_hash" VARCHAR NOT NULL,
    "parameters" VARCHAR NOT NULL,
    "target" VARCHAR NOT NULL,
    "trials" INTEGER NOT NULL,
    "seed" BIGINT NOT NULL,
    "threads" INTEGER NOT NULL,
    "device" VARCHAR NOT NULL,
    "artefact" VARCHAR NOT NULL,
    "size_bytes" BIGINT NOT NULL,
    "sha256" VARCHAR NOT NULL
);

INSERT INTO "models"."trainings" BY NAME
SELECT *, 'return' AS "target", 1 AS "trials", 'cpu' AS "device"
FROM "models"."earlier_trainings"
ORDER BY "as_of", "training_id";

DROP TABLE "models"."earlier_trainings";

ALTER TABLE "models"."scores" RENAME TO "earlier_scores";

CREATE TABLE "models"."scores" (
    "training_id" VARCHAR NOT NULL,
    "part" VARCHAR NOT NULL,
    "fold" INTEGER NOT NULL,
    "period" VARCHAR NOT NULL,
    "metric" VARCHAR NOT NULL,
    "model" VARCHAR NOT NULL,
    "as_of" DATE NOT NULL,
    "value" DOUBLE,
    "observations" BIGINT NOT NULL
);

INSERT INTO "models"."scores" BY NAME
SELECT *, 'test' AS "part", 'whole' AS "period"
FROM "models"."earlier_scores"
ORDER BY "as_of", "training_id", "fold", "metric";

DROP TABLE "models"."earlier_scores";

CREATE TABLE "models"."shap_values" (
    "training_id" VARCHAR NOT NULL,
    "model" VARCHAR NOT NULL,
    "session" DATE NOT NULL,
    "symbol" VARCHAR NOT NULL,
    "feature" VARCHAR NOT NULL,
    "contribution" FLOAT NOT NULL,
    "value" FLOAT NOT NULL
);

CREATE TABLE "models"."feature_importance" (
    "training_id" VARCHAR NOT NULL,
    "model" VARCHAR NOT NULL,
    "as_of" DATE NOT NULL,
    "feature" VARCHAR NOT NULL,
    "importance" DOUBLE NOT NULL,
    "share" DOUBLE NOT NULL,
    "rank" INTEGER NOT NULL
);

CREATE TABLE "models"."trials" (
    "training_id" VARCHAR NOT NULL,
    "model" VARCHAR NOT NULL,
    "as_of" DATE NOT NULL,
    "trial" INTEGER NOT NULL,
    "parameters" VARCHAR NOT NULL,
    "rank_ic" DOUBLE NOT NULL,
    "chosen" BOOLEAN NOT NULL
);
