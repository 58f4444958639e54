"""dropship: marketplace transactions from CSV files, as order lines, orders and journal entries."""
