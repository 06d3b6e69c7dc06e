"""Commands that have the names, flags and exit statuses of Phusion Passenger's; what they print is in our own words."""
