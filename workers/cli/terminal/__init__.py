"""What all verbs share: asking, refusing, tables, moments."""
