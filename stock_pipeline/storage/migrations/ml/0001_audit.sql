CREATE TABLE audit.writes (
    sequence BIGINT NOT NULL,
    run_id VARCHAR NOT NULL,
    author_kind VARCHAR NOT NULL,
    author VARCHAR NOT NULL,
    table_name VARCHAR NOT NULL,
    written_at TIMESTAMP NOT NULL,
    rows_in BIGINT NOT NULL,
    rows_inserted BIGINT NOT NULL,
    rows_deleted BIGINT NOT NULL,
    rows_quarantined BIGINT NOT NULL,
    first_session DATE,
    content_hash VARCHAR NOT NULL
);

CREATE TABLE audit.watermarks (
    asset VARCHAR NOT NULL,
    watermark DATE NOT NULL,
    code_version VARCHAR NOT NULL,
    settings VARCHAR NOT NULL
);

CREATE TABLE audit.task_runs (
    run_id VARCHAR NOT NULL,
    asset VARCHAR NOT NULL,
    started_at TIMESTAMP NOT NULL,
    finished_at TIMESTAMP NOT NULL,
    state VARCHAR NOT NULL,
    rows BIGINT NOT NULL,
    error VARCHAR,
    seen_market BIGINT,
    seen_ml BIGINT
);
