/* closer.h: closes descriptors that a stranger has sent, where blocking hurts nobody.
 *
 * close() blocks for as long as a TCP socket with SO_LINGER wants, and so does the close of a Unix socket with such a
 * descriptor in its queue. A thread of this process makes these calls, one after the other, and each is interrupted by
 * SIGURG when it takes long. The thread begins with the first call: only somebody who attacks makes it necessary.
 * Knows no httpd.
 */
#ifndef JUMPSEAT_CLOSER_H
#define JUMPSEAT_CLOSER_H

/* Closes the descriptor, which belongs to the closer from now on; -1 is ignored. Any thread may call it. Never blocks;
 * without memory or threads left, the descriptor stays open. */
void passenger_close_later(int descriptor);

/* How many descriptors wait to be closed, the one that is being closed included. For tests and figures. */
int passenger_close_waiting(void);

#endif
