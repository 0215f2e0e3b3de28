"""What speaks of payments to other programs: code generated from proto/ by `make proto`. Do not edit it."""
