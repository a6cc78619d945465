-- rewrites performance.daily_performance
ALTER TABLE performance.daily_performance RENAME COLUMN hit_rate TO sign_accuracy;
