CREATE SCHEMA predictions;

CREATE TABLE "predictions"."daily_predictions" (
    "session" DATE NOT NULL,
    "symbol" VARCHAR NOT NULL,
    "model" VARCHAR NOT NULL,
    "training_id" VARCHAR NOT NULL,
    "version" INTEGER NOT NULL,
    "score" DOUBLE NOT NULL,
    "rank" INTEGER NOT NULL,
    "predicted_return" DOUBLE
);

CREATE TABLE "predictions"."signals" (
    "session" DATE NOT NULL,
    "next_session" DATE NOT NULL,
    "symbol" VARCHAR NOT NULL,
    "model" VARCHAR NOT NULL,
    "version" INTEGER NOT NULL,
    "signal" VARCHAR NOT NULL,
    "score" DOUBLE NOT NULL,
    "rank" INTEGER NOT NULL,
    "predicted_return" DOUBLE
);
