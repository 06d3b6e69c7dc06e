"""The system's own calls, taken before the app is loaded: an app may replace them for itself (gevent, eventlet do)."""

import _socket
import _thread
import os
import select
import signal
import socket

Connection = _socket.socket  # without the layer in Python, which costs 1 us per connection
Epoll = select.epoll
RLock = _thread.RLock
Socket = socket.socket
allocate_lock = _thread.allocate_lock
end_process = os._exit
fork = os.fork
get_signal = signal.getsignal
poll = select.poll
set_signal = signal.signal
set_signal_mask = signal.pthread_sigmask
set_wakeup_fd = signal.set_wakeup_fd
start_new_thread = _thread.start_new_thread
waitpid = os.waitpid
