-- Trainings get the number that tells which of two of one session was made later; of those made before, nobody knows.
ALTER TABLE "models"."trainings" RENAME TO "unnumbered_trainings";

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
    "seed" BIGINT NOT NULL,
    "threads" INTEGER NOT NULL,
    "artefact" VARCHAR NOT NULL,
    "size_bytes" BIGINT NOT NULL,
    "sha256" VARCHAR NOT NULL
);

INSERT INTO "models"."trainings" BY NAME
SELECT *, row_number() OVER (PARTITION BY "model" ORDER BY "as_of", "training_id") AS "number"
FROM "models"."unnumbered_trainings"
ORDER BY "as_of", "training_id";

DROP TABLE "models"."unnumbered_trainings";
