"""The universe: which of the stored stocks are ranked, learned from and traded on a session, as known on its night.

What does not belong here: what is stored of a stock (market_data/), and whom a risk profile would hold (portfolio/).
"""
