"""From the configuration of Puma or Unicorn to that of Apache: reading, converting, printing."""
