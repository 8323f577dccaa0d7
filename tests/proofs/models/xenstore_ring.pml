/* SPDX-License-Identifier: MIT */
/*
 * The xenstore ring between the kernel and xenstored, with new connections. Each byte that a side
 * reads is the next one of its stream, no unread byte is overwritten, and no byte of an old connection
 * is read in a new one.
 *
 * Follows: xen/xenstore_ring.c follow_page
 * Follows: xen/xenstore_ring.c xenstore_ring_open
 * Follows: xen/xenstore_ring.c xenstore_ring_break
 * Follows: xen/xenstore_ring.c xenstore_ring_reconnected
 * Follows: xen/xenstore_ring.c xenstore_ring_send
 * Follows: xen/xenstore_ring.c xenstore_ring_receive
 * Follows: xen/xenstore_ring.c check_error
 *
 * xenstored is readchn, writechn, domain_conn_reset and ignore_connection of Xen's
 * tools/xenstore/xenstored_domain.c. A ring has SIZE bytes here, and an index has three bits, so that
 * it wraps. A byte is the number of its connection and its place in the stream. x86 keeps the order of
 * stores and of loads, and each field has one writer while the ring is connected.
 */
#define SIZE  2
#define INDEX(i)       ((i) & 7)
#define DISTANCE(p, c) (((p) - (c)) & 7)
#define SLOT(i)        ((i) & (SIZE - 1))
#define NR_REQUESTS    3 /* in each connection; xenstored answers each byte with a byte */
#define NR_CONNECTIONS 2
#define BYTE(c, n)     ((c) * 8 + (n))

/* The page. A ring may begin at any index. */
byte req[SIZE], rsp[SIZE];
byte page_req_prod = 6, page_req_cons = 6, page_rsp_prod = 6, page_rsp_cons = 6;
bool page_reconnect, page_error;

byte connection; /* the number of the connection: changes when xenstored has reset it */

active proctype kernel() {
    byte req_prod, rsp_cons, seen, there, b, mine, n;
    byte nr_sent, nr_received;
    bool last_error;

    /* xenstore_ring_open(): follow_page() */
    req_prod = page_req_prod;
    rsp_cons = page_rsp_cons;
end:
    do
    :: nr_sent < NR_REQUESTS ->                        /* xenstore_ring_send() of one byte */
        seen = DISTANCE(req_prod, page_req_cons);
        if
        :: seen > SIZE -> goto broken
        :: seen == SIZE -> skip                        /* no room */
        :: seen < SIZE ->
            req[SLOT(req_prod)] = BYTE(mine, nr_sent);
            req_prod = INDEX(req_prod + 1);
            page_req_prod = req_prod;
            nr_sent++
        fi
    :: nr_received < nr_sent ->                        /* xenstore_ring_receive() */
        there = DISTANCE(page_rsp_prod, rsp_cons);
        if
        :: there > SIZE -> goto broken
        :: there == 0 ->                               /* check_error() */
            if
            :: page_error && !last_error -> last_error = true; goto broken
            :: else
            fi
        :: there > 0 && there <= SIZE ->
            /* one byte, or all that are there */
            if
            :: n = 1
            :: n = there
            fi;
            do
            :: n > 0 ->
                b = rsp[SLOT(rsp_cons)];
                assert(b == BYTE(mine, nr_received));
                rsp_cons = INDEX(rsp_cons + 1);
                nr_received++;
                n--
            :: n == 0 -> break
            od;
            page_rsp_cons = rsp_cons
        fi
    :: nr_received == NR_REQUESTS -> break             /* every reply is there */
    od;
    goto done;

broken:                                                /* xenstore_ring_break() */
    page_reconnect = true;
end_reconnecting:                                      /* xenstore_ring_reconnected(), follow_page() */
    !page_reconnect;
    req_prod = page_req_prod;
    rsp_cons = page_rsp_cons;
    assert(page_req_prod == page_req_cons && page_rsp_prod == page_rsp_cons);
    mine = connection;
    nr_sent = 0;
    nr_received = 0;
    goto end;
done:
    skip
}

active proctype xenstored() {
    byte prod, cons, b, nr_read, nr_written;
    byte stored; /* a request that has no reply yet */
    bool has_request, is_ignoring;

end:
    do
    :: page_reconnect ->                               /* domain_conn_reset(), and then the state */
        page_req_cons = 0;
        page_req_prod = 0;
        page_rsp_cons = 0;
        page_rsp_prod = 0;
        connection++;
        nr_read = 0;
        nr_written = 0;
        has_request = false;
        is_ignoring = false;
        page_error = false;
        page_reconnect = false
    :: !is_ignoring && !has_request && !page_reconnect && page_req_prod != page_req_cons -> /* readchn() */
        cons = page_req_cons;
        prod = page_req_prod;
        b = req[SLOT(cons)];
        assert(page_reconnect || (DISTANCE(prod, cons) <= SIZE && b == BYTE(connection, nr_read)));
        page_req_cons = INDEX(cons + 1);
        nr_read++;
        has_request = true
    :: !is_ignoring && has_request && !page_reconnect -> /* writechn() */
        cons = page_rsp_cons;
        prod = page_rsp_prod;
        if
        :: DISTANCE(prod, cons) == SIZE
        :: else ->
            rsp[SLOT(prod)] = BYTE(connection, nr_written);
            page_rsp_prod = INDEX(prod + 1);
            nr_written++;
            has_request = false
        fi
    :: !is_ignoring && connection < NR_CONNECTIONS - 1 -> /* ignore_connection(), or a fault of xenstored */
        is_ignoring = true;
        if
        :: page_error = true
        :: page_rsp_prod = INDEX(page_rsp_prod + 5)
        :: page_req_cons = INDEX(page_req_cons + 3)
        fi
    od
}
