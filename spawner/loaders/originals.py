"""The system's own calls, taken before the app is loaded: an app may replace them for itself (gevent, eventlet do)."""

import os
import select
import signal
import socket

Epoll = select.epoll
Socket = socket.socket
end_process = os._exit
fork = os.fork
poll = select.poll
set_signal = signal.signal
set_wakeup_fd = signal.set_wakeup_fd
waitpid = os.waitpid
