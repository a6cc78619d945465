-- The settings that an asset's rows were made with, as JSON.
ALTER TABLE audit.watermarks ADD COLUMN settings VARCHAR DEFAULT '{}';
