/* accept.h: whether a client would rather have JSON than HTML (RFC 9110, section 12.5.1).
 *
 * Knows no httpd, no allocation, no I/O. Any thread.
 */
#ifndef JUMPSEAT_ACCEPT_H
#define JUMPSEAT_ACCEPT_H

/* `accept`: the value of the Accept header, or NULL. It prefers JSON when application/json (or a type that ends in
 * +json) has the larger weight; with equal weights, when JSON is named and HTML is not, or is named later. Where it
 * prefers neither (any type, or no header), the client gets what it sends: `content_type`, that of the request, or
 * NULL. */
int passenger_accept_prefers_json(const char *accept, const char *content_type);

#endif
