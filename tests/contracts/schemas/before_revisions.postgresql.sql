CREATE TABLE products (
    tenant VARCHAR(64) NOT NULL,
    sku VARCHAR(128) NOT NULL,
    version BIGINT NOT NULL,
    deleted BOOLEAN NOT NULL,
    record TEXT NOT NULL,
    updated_at_ms BIGINT NOT NULL,
    PRIMARY KEY (tenant, sku)
);

CREATE TABLE assets (
    tenant VARCHAR(64) NOT NULL,
    sku VARCHAR(128) NOT NULL,
    asset VARCHAR(256) NOT NULL,
    version BIGINT NOT NULL,
    channel VARCHAR(64) NOT NULL,
    campaign VARCHAR(64),
    state VARCHAR(16) NOT NULL,
    reason TEXT NOT NULL,
    verdict TEXT,
    live TEXT,
    updated_at_ms BIGINT NOT NULL,
    PRIMARY KEY (tenant, sku, asset)
);

CREATE TABLE tasks (
    task_id VARCHAR(64) NOT NULL,
    tenant VARCHAR(64) NOT NULL,
    sku VARCHAR(128) NOT NULL,
    version BIGINT NOT NULL,
    operation VARCHAR(64) NOT NULL,
    state VARCHAR(16) NOT NULL,
    counted_at_ms BIGINT,
    record TEXT NOT NULL,
    updated_at_ms BIGINT NOT NULL,
    PRIMARY KEY (task_id)
);

CREATE INDEX tasks_of_product ON tasks (tenant, sku);

CREATE INDEX tasks_that_count ON tasks (tenant, counted_at_ms);

CREATE TABLE reviews (
    review_id VARCHAR(64) NOT NULL,
    tenant VARCHAR(64) NOT NULL,
    sku VARCHAR(128) NOT NULL,
    asset VARCHAR(256) NOT NULL,
    version BIGINT NOT NULL,
    state VARCHAR(16) NOT NULL,
    record TEXT NOT NULL,
    decision TEXT,
    updated_at_ms BIGINT NOT NULL,
    PRIMARY KEY (review_id)
);

CREATE INDEX ix_reviews_state ON reviews (state);

CREATE TABLE campaigns (
    tenant VARCHAR(64) NOT NULL,
    campaign VARCHAR(64) NOT NULL,
    cancelled BOOLEAN NOT NULL,
    record TEXT NOT NULL,
    updated_at_ms BIGINT NOT NULL,
    PRIMARY KEY (tenant, campaign)
);

CREATE TABLE campaign_skus (
    tenant VARCHAR(64) NOT NULL,
    sku VARCHAR(128) NOT NULL,
    campaign VARCHAR(64) NOT NULL,
    PRIMARY KEY (tenant, sku, campaign)
);

CREATE TABLE costs (
    task_id VARCHAR(64) NOT NULL,
    result_id VARCHAR(64) NOT NULL,
    asset VARCHAR(256) NOT NULL,
    tenant VARCHAR(64) NOT NULL,
    sku VARCHAR(128) NOT NULL,
    version BIGINT NOT NULL,
    channel VARCHAR(64) NOT NULL,
    operation VARCHAR(64) NOT NULL,
    digest VARCHAR(64) NOT NULL,
    engine_ms FLOAT NOT NULL,
    cpu_ms FLOAT NOT NULL,
    size_bytes BIGINT NOT NULL,
    price_nanos BIGINT NOT NULL,
    saved_engine_ms FLOAT NOT NULL,
    saved_price_nanos BIGINT NOT NULL,
    updated_at_ms BIGINT NOT NULL,
    PRIMARY KEY (task_id, result_id, asset)
);

CREATE INDEX ix_costs_updated_at_ms ON costs (updated_at_ms);

CREATE TABLE accepted (
    tenant VARCHAR(64) NOT NULL,
    sku VARCHAR(128) NOT NULL,
    version BIGINT NOT NULL,
    asset VARCHAR(256) NOT NULL,
    digest VARCHAR(64) NOT NULL,
    updated_at_ms BIGINT NOT NULL,
    PRIMARY KEY (tenant, sku, version, asset, digest)
);

CREATE TABLE models (
    model VARCHAR(129) NOT NULL,
    operation VARCHAR(64) NOT NULL,
    record TEXT NOT NULL,
    updated_at_ms BIGINT NOT NULL,
    PRIMARY KEY (model)
);

CREATE TABLE releases (
    release_id VARCHAR(64) NOT NULL,
    operation VARCHAR(64) NOT NULL,
    place BIGINT NOT NULL,
    record TEXT NOT NULL,
    updated_at_ms BIGINT NOT NULL,
    PRIMARY KEY (release_id)
);

CREATE INDEX ix_releases_operation ON releases (operation);

CREATE TABLE shadows (
    task_id VARCHAR(64) NOT NULL,
    result_id VARCHAR(64) NOT NULL,
    model VARCHAR(129) NOT NULL,
    agreement FLOAT,
    difference FLOAT,
    engine_ms FLOAT,
    failed BOOLEAN NOT NULL,
    updated_at_ms BIGINT NOT NULL,
    PRIMARY KEY (task_id, result_id)
);

CREATE INDEX ix_shadows_model ON shadows (model);

CREATE TABLE recipes (
    kind VARCHAR(16) NOT NULL,
    name VARCHAR(64) NOT NULL,
    version BIGINT NOT NULL,
    record TEXT NOT NULL,
    updated_at_ms BIGINT NOT NULL,
    PRIMARY KEY (kind, name, version)
);

CREATE TABLE refusals (
    event_id VARCHAR(128) NOT NULL,
    topic VARCHAR(128) NOT NULL,
    subject VARCHAR(256) NOT NULL,
    code VARCHAR(64) NOT NULL,
    field VARCHAR(128) NOT NULL,
    message TEXT NOT NULL,
    position VARCHAR(256) NOT NULL,
    updated_at_ms BIGINT NOT NULL,
    PRIMARY KEY (event_id)
);
