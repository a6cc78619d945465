-- rewrites models.scores
UPDATE models.scores SET metric = replace(metric, 'hit_rate', 'positive_ic_share') WHERE metric LIKE 'hit_rate%';
