"""Names for company reports that more than one room uses: the items, and the lengths of a period."""

from typing import Final

# The items that ratios are made of. Money in the currency of the row, flows over the period of the row.
REVENUE: Final = "revenue"
OPERATING_INCOME: Final = "operating_income"
NET_INCOME: Final = "net_income"
EQUITY: Final = "equity"
ASSETS: Final = "assets"
DEBT: Final = "debt"
SHARES: Final = "shares"
ITEMS: Final = (REVENUE, OPERATING_INCOME, NET_INCOME, EQUITY, ASSETS, DEBT, SHARES)

QUARTER: Final = "quarter"
YEAR: Final = "year"
