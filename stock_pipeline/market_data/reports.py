"""What companies report, in our words: the items and the lengths of periods, as ``fundamentals`` has them in its rows."""

# The items that the ratios are made of. Money in the currency of the row, flows over the period of the row.
REVENUE, OPERATING_INCOME, NET_INCOME = "revenue", "operating_income", "net_income"
EQUITY, ASSETS, DEBT, SHARES = "equity", "assets", "debt", "shares"
ITEMS = (REVENUE, OPERATING_INCOME, NET_INCOME, EQUITY, ASSETS, DEBT, SHARES)

QUARTER, YEAR = "quarter", "year"
