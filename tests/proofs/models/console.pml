/* SPDX-License-Identifier: MIT */
/*
 * The console ring. While the reader keeps the rules, each byte that the kernel puts is read once and
 * in order, or the kernel counts it as lost; typed bytes arrive whole and in order. A reader that
 * writes any index cannot make the kernel run ahead of what the reader is known to have read.
 *
 * Follows: xen/console.c look_for_room
 * Follows: xen/console.c wait_for_room
 * Follows: xen/console.c ring_put
 * Follows: xen/console.c ring_read
 * Follows: xen/console.c console_start
 *
 * The reader is buffer_append and handle_tty_read of Xen's tools/console/daemon/io.c. A ring has SIZE
 * bytes here, and an index has three bits. That the reader is too slow is a free choice: the model
 * has no clock.
 */
#define SIZE 2
#define INDEX(i)       ((i) & 7)
#define DISTANCE(p, c) (((p) - (c)) & 7)
#define SLOT(i)        ((i) & (SIZE - 1))
#define NR_BYTES       5

byte out[SIZE], in[SIZE];
byte out_prod = 6, out_cons = 6, in_prod = 6, in_cons = 6; /* in the page; a loader may have used it */

bool is_hostile;   /* the reader breaks the rules */
byte nr_lost;
chan unread = [SIZE] of { byte }; /* what the kernel has put and an honest reader has not read */
chan typed = [SIZE] of { byte };  /* the same for input */

inline look_for_room(room) {
    cons = out_cons;
    if
    :: DISTANCE(cons, read_to) > DISTANCE(prod, read_to) -> room = 0
    :: else ->
        read_to = cons;
        room = SIZE - DISTANCE(prod, cons)
    fi
}

active proctype kernel() {
    byte prod, cons_in, read_to, cons, room, there, n, b, nr_put, expected;

    /* console_start(): any index of the reader from a ring's size below on is possible */
    prod = out_prod;
    cons_in = in_cons;
    read_to = INDEX(prod - SIZE);
end:
    do
    :: nr_put < NR_BYTES ->                            /* ring_put() */
        look_for_room(room);
        do                                             /* wait_for_room() */
        :: room >= 1 ->
            out[SLOT(prod)] = nr_put;
            atomic {
                if
                :: is_hostile
                :: !is_hostile && nfull(unread) -> unread ! nr_put
                :: !is_hostile && full(unread) -> assert(is_hostile) /* an unread byte is overwritten */
                fi
            };
            prod = INDEX(prod + 1);
            assert(DISTANCE(prod, read_to) <= SIZE);
            out_prod = prod;
            break
        :: room < 1 -> look_for_room(room)
        :: room < 1 -> nr_lost++; break                /* the reader is too slow */
        od;
        nr_put++
    :: in_prod != cons_in ->                           /* ring_read() */
        there = DISTANCE(in_prod, cons_in);
        if
        :: there > SIZE                                /* an impossible index */
        :: there <= SIZE ->
            n = there;
            do
            :: n > 0 ->
                b = in[SLOT(cons_in)];
                atomic {
                    if
                    :: is_hostile
                    :: !is_hostile -> assert(nempty(typed)); typed ? expected; assert(b == expected)
                    fi
                };
                cons_in = INDEX(cons_in + 1);
                n--
            :: n == 0 -> break
            od;
            in_cons = cons_in
        fi
    od
}

active proctype reader() {
    byte cons, prod, i, nr_typed, b, expected;

    if
    :: is_hostile = true
    :: skip
    fi;
end:
    do
    :: !is_hostile && out_prod != out_cons ->          /* buffer_append(): all that is there */
        cons = out_cons;
        prod = out_prod;
        assert(DISTANCE(prod, cons) <= SIZE);
        do
        :: cons != prod ->
            atomic { b = out[SLOT(cons)]; assert(nempty(unread)); unread ? expected; assert(b == expected) };
            cons = INDEX(cons + 1)
        :: cons == prod -> break
        od;
        out_cons = cons
    :: !is_hostile && nr_typed < 3 && DISTANCE(in_prod, in_cons) < SIZE -> /* handle_tty_read() */
        in[SLOT(in_prod)] = nr_typed;
        typed ! nr_typed;
        in_prod = INDEX(in_prod + 1);
        nr_typed++
    :: is_hostile && i < 3 ->                          /* any index, three times */
        if
        :: out_cons = INDEX(out_cons + 1)
        :: out_cons = INDEX(out_cons + 3)
        :: out_cons = INDEX(out_cons + 5)
        :: in_prod = INDEX(in_prod + 1)
        :: in_prod = INDEX(in_prod + 3)
        fi;
        i++
    od
}
