"""What the pool does in which case: functions of a group, the capacity and the time. None of them knows the pool."""
