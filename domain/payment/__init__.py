"""The money of one order: authorised once, captured per shipment, voided or refunded."""
