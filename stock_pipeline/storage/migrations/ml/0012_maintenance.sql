CREATE SCHEMA maintenance;

CREATE TABLE "maintenance"."backups" (
    "as_of" DATE NOT NULL,
    "store" VARCHAR NOT NULL,
    "path" VARCHAR NOT NULL,
    "size_bytes" BIGINT NOT NULL,
    "sha256" VARCHAR NOT NULL
);
