"""The load generator of the fault tests: clients that check every answer and retry nothing."""
