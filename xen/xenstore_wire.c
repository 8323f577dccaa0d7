/* SPDX-License-Identifier: MIT */
#include "xen/xenstore_wire.h"

#include "lib/string.h"

void xenstore_wire_reset(struct xenstore_wire *w)
{
    w->in.got_bytes = 0;
    w->out.sent_bytes = w->out.len_bytes = 0;
}

/* The address for the next received bytes; *@len_bytes: missing bytes of the header or payload. */
static char *missing_part(struct xenstore_wire *w, size_t *len_bytes)
{
    if (w->in.got_bytes < sizeof(w->in.header)) {
        *len_bytes = sizeof(w->in.header) - w->in.got_bytes;
        return (char *)&w->in.header + w->in.got_bytes;
    }
    *len_bytes = sizeof(w->in.header) + w->in.header.len - w->in.got_bytes;
    return w->in.payload + (w->in.got_bytes - sizeof(w->in.header));
}

int xenstore_wire_receive(struct xenstore_wire *w)
{
    for (;;) {
        size_t missing;
        char *to = missing_part(w, &missing);
        long n;

        if (missing == 0) {
            w->in.payload[w->in.header.len] = '\0';
            w->in.got_bytes = 0;
            return 1;
        }
        n = xenstore_ring_receive(&w->ring, to, missing);
        if (n <= 0)
            return (int)n;
        w->in.got_bytes += (size_t)n;
        if (w->in.got_bytes == sizeof(w->in.header) && w->in.header.len > XENSTORE_PAYLOAD_MAX)
            return xenstore_ring_break(&w->ring,
                                       "xenstored sent a message longer than XENSTORE_PAYLOAD_MAX");
    }
}

void xenstore_wire_put(struct xenstore_wire *w, const struct xsd_sockmsg *header, const char *first,
                       size_t first_bytes, const char *second, size_t second_bytes)
{
    w->out.header = *header;
    memcpy(w->out.payload, first, first_bytes);
    memcpy(w->out.payload + first_bytes, second, second_bytes);
    w->out.len_bytes = sizeof(w->out.header) + first_bytes + second_bytes;
    w->out.sent_bytes = 0;
}

int xenstore_wire_send(struct xenstore_wire *w)
{
    while (w->out.sent_bytes < w->out.len_bytes) {
        const char *from = (const char *)&w->out + w->out.sent_bytes;
        long n = xenstore_ring_send(&w->ring, from, w->out.len_bytes - w->out.sent_bytes);

        if (n <= 0)
            return (int)n;
        w->out.sent_bytes += (size_t)n;
    }
    return 1;
}
