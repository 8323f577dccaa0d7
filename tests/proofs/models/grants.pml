/* SPDX-License-Identifier: MIT */
/*
 * The end of a grant, and the next use of its entry, against Xen that maps the page for a hostile
 * grantee at any time. Entries of version 1 and 2, with the store buffer of the guest's processor.
 *
 * Follows: xen/grants.c write_entry
 * Follows: xen/grants.c revoke_v1
 * Follows: xen/grants.c revoke_v2
 * Follows: xen/grants.c grant_in_use
 * Follows: xen/grants.c grant_end
 * Follows: xen/grants.c grant_end_page
 * Follows: xen/grants.c end_deferred
 * Follows: xen/grants.c grants_poll
 *
 * Xen's side is xen/common/grant_table.c: map_grant_ref with _set_status_v1 and _set_status_v2, and
 * reduce_status_for_pin. Xen holds the lock of the entry, so its calls do not overlap each other.
 */
#define PEER  1 /* the hostile grantee */
#define OTHER 2
#define A     1 /* the page that is granted first: a secret after the end of the grant */
#define B     2 /* the page that is granted next, with the same entry */

byte version;

/* The entry as memory has it; flags and domid are one word for Xen. */
bool permit = true;
byte domid = PEER, frame = A;
bool use;             /* Xen's mark: in the flags (v1), or in the status frame (v2) */

/* Stores that memory does not have yet, in their order: (field, value) */
mtype = { PERMIT, DOMID, FRAME };
chan buffer = [3] of { mtype, byte };

byte maps;            /* mappings by Xen; they keep frame and domain of the first one */
byte mapped_frame, mapped_domid;
bool a_is_free;       /* the kernel has given page A another use */
bool b_is_granted;    /* grant_access has begun to grant page B */
byte grantee_of_b;

/* What a grantee may map. */
#define MAY_MAP(d, f) ((f == A && d == PEER && !a_is_free) || (f == B && b_is_granted && d == grantee_of_b))

active proctype store_buffer() {
end:
    do
    :: atomic { buffer ? PERMIT, permit }
    :: atomic { buffer ? DOMID, domid }
    :: atomic { buffer ? FRAME, frame }
    od
}

/* revoke_v1(): one locked AND. revoke_v2(): a store and a fence, then a read of the status. */
inline revoke(ok) {
    if
    :: version == 1 -> atomic { empty(buffer) -> permit = false; ok = !use }
    :: version == 2 -> buffer ! PERMIT, false; empty(buffer); ok = !use
    fi
}

active proctype guest() {
    bool ok;

    if
    :: version = 1
    :: version = 2
    fi;

    /* grant_end(), again and again, or grant_end_page() and grants_poll() */
end_busy:
    do
    :: use -> skip                                  /* grant_in_use(): -EBUSY */
    :: !use ->
        revoke(ok);
        if
        :: ok -> break
        :: else -> atomic { empty(buffer) -> permit = true }
        fi
    :: goto deferred
    od;
    goto ended;
deferred:
    do
    :: revoke(ok);
       if
       :: ok -> break
       :: else ->
end_deferred:
            !use                                    /* a later grants_poll() */
       fi
    od;

ended:
    a_is_free = true;
    assert(!(maps && mapped_frame == A));

    /* grant_access(): write_entry() for another page and perhaps another domain */
    if
    :: grantee_of_b = PEER
    :: grantee_of_b = OTHER
    fi;
    b_is_granted = true;
    buffer ! DOMID, grantee_of_b;
    buffer ! FRAME, B;
    buffer ! PERMIT, true
}

active proctype xen() {
    byte peer, f;
    bool ok;

    version > 0;
end:
    do
    :: maps == 0 ->                                 /* map_grant_ref() of an entry that is not pinned */
        if
        :: peer = PEER
        :: peer = OTHER
        fi;
        if
        :: version == 1 ->                          /* _set_status_v1(): cmpxchg of the word */
            atomic {
                ok = permit && domid == peer;
                if
                :: ok -> use = true
                :: else
                fi
            }
        :: version == 2 ->                          /* _set_status_v2(): look, mark, look again */
            d_step { ok = permit && domid == peer };
            if
            :: ok ->
                use = true;
                d_step { ok = permit && domid == peer };
                if
                :: ok
                :: else -> use = false
                fi
            :: else
            fi
        fi;
        if
        :: ok ->
            f = frame;
            assert(MAY_MAP(peer, f));
            d_step { maps = 1; mapped_frame = f; mapped_domid = peer }
        :: else
        fi
    :: maps == 1 -> maps = 2                        /* a pinned entry is not read again */
    :: maps > 0 ->                                  /* reduce_status_for_pin() */
        maps--;
        if
        :: maps == 0 -> use = false
        :: else
        fi
    od
}
