-- rewrites backtest.summary
UPDATE backtest.summary SET metric = 'positive_return_share' WHERE metric = 'hit_rate';
