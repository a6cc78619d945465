-- Predictions tell of volatility and direction too, and which features moved them.
ALTER TABLE "predictions"."daily_predictions" ADD COLUMN "predicted_volatility" DOUBLE;

ALTER TABLE "predictions"."daily_predictions" ADD COLUMN "probability_up" DOUBLE;

CREATE TABLE "predictions"."explanations" (
    "session" DATE NOT NULL,
    "symbol" VARCHAR NOT NULL,
    "model" VARCHAR NOT NULL,
    "training_id" VARCHAR NOT NULL,
    "rank" INTEGER NOT NULL,
    "feature" VARCHAR NOT NULL,
    "contribution" FLOAT NOT NULL,
    "value" FLOAT NOT NULL
);
