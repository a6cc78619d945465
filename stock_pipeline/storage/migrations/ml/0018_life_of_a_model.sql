-- Versions have a life: who moved them and when, every decision with its figures, shadow results, switches, retraining jobs, a
-- performance log. Of the decisions taken before, those that put a version into service or refused it are known.
ALTER TABLE "registry"."model_versions" RENAME TO "earlier_versions";

CREATE TABLE "registry"."model_versions" (
    "model" VARCHAR NOT NULL,
    "version" INTEGER NOT NULL,
    "training_id" VARCHAR NOT NULL,
    "as_of" DATE NOT NULL,
    "status" VARCHAR NOT NULL,
    "active_from" DATE,
    "active_to" DATE,
    "error" DOUBLE,
    "zero_error" DOUBLE,
    "rank_ic" DOUBLE,
    "changed_on" DATE NOT NULL,
    "by" VARCHAR NOT NULL,
    "reason" VARCHAR NOT NULL
);

INSERT INTO "registry"."model_versions" BY NAME
SELECT *, NULL AS "zero_error", coalesce("active_to", "active_from", "as_of") AS "changed_on", 'automation' AS "by"
FROM "registry"."earlier_versions"
ORDER BY "as_of", "model", "version";

DROP TABLE "registry"."earlier_versions";

CREATE TABLE "registry"."promotions" (
    "model" VARCHAR NOT NULL,
    "number" INTEGER NOT NULL,
    "as_of" DATE NOT NULL,
    "version" INTEGER NOT NULL,
    "decision" VARCHAR NOT NULL,
    "ground" VARCHAR NOT NULL,
    "rival" INTEGER,
    "sessions" INTEGER,
    "predictions" BIGINT,
    "error" DOUBLE,
    "rival_error" DOUBLE,
    "zero_error" DOUBLE,
    "rank_ic" DOUBLE,
    "rival_rank_ic" DOUBLE,
    "t_statistic" DOUBLE,
    "p_value" DOUBLE,
    "by" VARCHAR NOT NULL,
    "reason" VARCHAR NOT NULL
);

CREATE TABLE "registry"."shadow_results" (
    "model" VARCHAR NOT NULL,
    "version" INTEGER NOT NULL,
    "training_id" VARCHAR NOT NULL,
    "session" DATE NOT NULL,
    "predictions" INTEGER NOT NULL,
    "error" DOUBLE NOT NULL,
    "zero_error" DOUBLE NOT NULL,
    "rank_ic" DOUBLE
);

CREATE TABLE "registry"."model_switches" (
    "model" VARCHAR NOT NULL,
    "enabled" BOOLEAN NOT NULL,
    "as_of" DATE NOT NULL,
    "reason" VARCHAR NOT NULL
);

CREATE TABLE "registry"."training_jobs" (
    "job" INTEGER NOT NULL,
    "reason" VARCHAR NOT NULL,
    "models" VARCHAR NOT NULL,
    "sessions" INTEGER,
    "folds" INTEGER,
    "trials" INTEGER,
    "dry_run" BOOLEAN NOT NULL,
    "state" VARCHAR NOT NULL,
    "requested_at" TIMESTAMP NOT NULL,
    "started_at" TIMESTAMP,
    "finished_at" TIMESTAMP,
    "succeeded" VARCHAR NOT NULL,
    "failed" VARCHAR NOT NULL,
    "error" VARCHAR
);

CREATE TABLE "performance"."performance_log" (
    "as_of" DATE NOT NULL,
    "model" VARCHAR NOT NULL,
    "period" VARCHAR NOT NULL,
    "first_session" DATE NOT NULL,
    "last_session" DATE NOT NULL,
    "sessions" INTEGER NOT NULL,
    "trades" BIGINT NOT NULL,
    "win_rate" DOUBLE NOT NULL,
    "win_rate_low" DOUBLE NOT NULL,
    "win_rate_high" DOUBLE NOT NULL,
    "mean_return" DOUBLE NOT NULL,
    "sharpe" DOUBLE,
    "sortino" DOUBLE,
    "profit_factor" DOUBLE,
    "ic" DOUBLE,
    "rank_ic" DOUBLE
);

INSERT INTO "registry"."promotions" BY NAME
SELECT "model", row_number() OVER (PARTITION BY "model" ORDER BY "version") AS "number", coalesce("active_from", "as_of") AS "as_of",
    "version", CASE WHEN "active_from" IS NULL THEN 'refused' ELSE 'promoted' END AS "decision",
    CASE WHEN "version" = 1 THEN 'first' ELSE 'holdout' END AS "ground", "error", "rank_ic", 'automation' AS "by", "reason"
FROM "registry"."model_versions"
ORDER BY "as_of", "model", "number";

CREATE VIEW "registry"."active_models" AS
SELECT v."model", v."version", v."active_from", v."error", v."zero_error", v."rank_ic", v."reason", t."training_id", t."as_of" AS "trained_as_of",
    t."train_from", t."train_to", t."rows", t."features", t."target", t."artefact", t."size_bytes", t."sha256",
    coalesce(s."enabled", true) AS "enabled"
FROM "registry"."model_versions" AS v
JOIN "models"."trainings" AS t USING ("training_id")
LEFT JOIN "registry"."model_switches" AS s ON s."model" = v."model"
WHERE v."status" = 'active'
ORDER BY v."model";

CREATE VIEW "registry"."shadow_models" AS
SELECT v."model", v."version", v."training_id", v."as_of", v."changed_on" AS "in_shadow_since", count(r."session") AS "sessions",
    coalesce(sum(r."predictions"), 0) AS "predictions", sum(r."error" * r."predictions") / sum(r."predictions") AS "error",
    sum(r."zero_error" * r."predictions") / sum(r."predictions") AS "zero_error", avg(r."rank_ic") AS "rank_ic"
FROM "registry"."model_versions" AS v
LEFT JOIN "registry"."shadow_results" AS r USING ("model", "version")
WHERE v."status" = 'shadow'
GROUP BY ALL
ORDER BY v."model", v."version";

CREATE VIEW "drift"."recent_drift_events" AS
SELECT * FROM "drift"."feature_drift"
WHERE "severity" IN ('HIGH', 'CRITICAL')
    AND "as_of" IN (SELECT DISTINCT "as_of" FROM "drift"."feature_drift" ORDER BY "as_of" DESC LIMIT 30)
ORDER BY "as_of" DESC, "feature", "statistic";

CREATE VIEW "performance"."model_performance" AS
SELECT * FROM "performance"."performance_log"
WHERE "as_of" = (SELECT max("as_of") FROM "performance"."performance_log")
ORDER BY "model", "sessions";
