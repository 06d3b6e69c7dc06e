"""Constants that C and Python both need.

Generated from apache_module/constants.py by `python -m apache_module.generate`; do not edit.
"""

# Most digits of a message's length.
LENGTH_DIGITS_LIMIT = 9

# Most bytes of a request head, netstring framing included.
REQUEST_HEAD_LIMIT = 1048576

# Most bytes of a control message.
CONTROL_MESSAGE_LIMIT = 262144

# Most bytes of a response head.
RESPONSE_HEAD_LIMIT = 262144

# Most bytes of one data frame.
FRAME_DATA_LIMIT = 2147483647

# Digits of JUMPSEAT_TAIL, which is always so long.
TAIL_DIGITS = 6

# Hexadecimal digits of a route, the name of a worker's own socket.
ROUTE_LENGTH = 16

# Hexadecimal digits of an error id.
ERROR_ID_LENGTH = 8

# Bytes of one worker's slot of a scoreboard.
SCOREBOARD_SLOT_SIZE = 66048

# Content-Security-Policy of each error page that the server writes: it loads nothing from elsewhere.
ERROR_PAGE_POLICY = "default-src 'none'; style-src 'unsafe-inline'"

# Added to the spawner's exit status: 0 means that its code could not be loaded.
SPAWNER_RAN = 256

# The spawner's exit status when it cannot run before something is repaired.
SPAWNER_MISCONFIGURED = 78

# PassengerInstanceRegistryDir if root starts httpd.
REGISTRY_OF_ROOT = "/run/jumpseat"

# The same if another user does, with the uid.
REGISTRY_OF_USER = "/tmp/jumpseat-%u"

# Default of PassengerSpawnerConfigFile.
SPAWNER_CONFIGURATION = "/etc/jumpseat/spawner.conf"
