/* SPDX-License-Identifier: MIT */
/*
 * The node data/command: users write commands into it, the kernel runs each one, writes its answer to
 * another node, and then empties the node, while xenstored may be late. A command is run at most
 * once; the last one is run; the user who wrote it and finds the node empty finds the answer, too.
 *
 * Follows: kernel/boot/store.c store_take_command
 * Follows: kernel/boot/store.c is_command
 * Follows: kernel/boot/store.c store_end_command
 * Follows: kernel/boot/store.c empty_command
 * Follows: kernel/boot/store.c look_at_done
 * Follows: kernel/boot/store.c try_take_node
 * Follows: kernel/boot/store.c take_node
 * Follows: kernel/live.c run_store_command
 *
 * Requests reach xenstored in their order. The kernel may give up a request (-ETIMEDOUT); xenstored
 * carries it out later all the same, unless it belongs to a transaction: that one the kernel aborts.
 * When xenstored answers again, each watch fires (xen/xenstore_request.c, note_reply).
 */
#define NOTHING 0
#define NR_USERS 2
#define MAX_LATE 3
#define MAX_TRIES 5

mtype = { READ, ANSWER, BEGIN, TX_READ, TX_EMPTY, COMMIT, ABORT };
mtype = { OK, EAGAIN, ETIMEDOUT };

/* xenstored's: the node, the number of writes to it, the answer, and the transaction */
byte node, nr_writes, answer, tx_began;
bool tx_empties;

bool fired;                           /* the watch */
byte nr_runs[NR_USERS + 1], last_command;
bool sent[NR_USERS + 1];

chan requests = [4] of { mtype, byte, byte }; /* a request, its number, and the value of ANSWER */
chan replies = [4] of { byte, mtype, byte };  /* the number of the request, result and value */

active proctype xenstored() {
    byte id, text;

end:
    do
    :: requests ? READ, id, text -> replies ! id, OK, node
    :: requests ? ANSWER, id, text -> atomic { answer = text; replies ! id, OK, NOTHING }
    :: requests ? BEGIN, id, text -> atomic { tx_began = nr_writes; tx_empties = false; replies ! id, OK, NOTHING }
    :: requests ? TX_READ, id, text -> replies ! id, OK, node
    :: requests ? TX_EMPTY, id, text -> atomic { tx_empties = true; replies ! id, OK, NOTHING }
    :: requests ? ABORT, id, text -> replies ! id, OK, NOTHING
    :: requests ? COMMIT, id, text ->
        atomic {
            if
            :: tx_began != nr_writes -> replies ! id, EAGAIN, NOTHING
            :: tx_began == nr_writes && tx_empties -> node = NOTHING; nr_writes++; fired = true; replies ! id, OK, NOTHING
            :: tx_began == nr_writes && !tx_empties -> replies ! id, OK, NOTHING
            fi
        }
    od
}

/* A user: writes a command at any time; then waits until the node has another value. */
active [NR_USERS] proctype user() {
    byte command = _pid;              /* xenstored has the number 0 */

    atomic { node = command; nr_writes++; fired = true; last_command = command; sent[command] = true }
end:
    atomic {
        node == NOTHING && last_command == command ->
            assert(nr_runs[command] == 1 && answer == command)
    }
}

/* xenstore_ask(): a request that is given up has no result, and its late reply fires the watch. */
inline ask(type) {
    last_id++;
    requests ! type, last_id, running;
    do
    :: replies ? id, rc, value ->
        fired = fired || is_late;
        is_late = false;
        if
        :: id == last_id -> break
        :: else
        fi
    :: nr_late < MAX_LATE -> nr_late++; is_late = true; rc = ETIMEDOUT; break
    od
}

/* empty_command(): take_node() with look_at_done(); *ending does not matter here. */
inline empty_command() {
    tries = 0;
    do
    :: tries == MAX_TRIES -> break
    :: tries < MAX_TRIES ->
        tries++;
        ask(BEGIN);
        if
        :: rc != OK -> break
        :: else
        fi;
        ask(TX_READ);
        if
        :: rc == OK && value == running -> ask(TX_EMPTY)
        :: else
        fi;
        if
        :: rc == ETIMEDOUT -> abort_later = true; break
        :: else
        fi;
        ask(COMMIT);
        if
        :: rc == EAGAIN
        :: else -> break
        fi
    od;
    assert(rc != EAGAIN);             /* MAX_TRIES is more than the users can write */
    is_done = rc == ETIMEDOUT
}

active proctype kernel() {
    byte running, last_id, id, value, nr_late, tries;
    mtype rc;
    bool is_late, is_done, abort_later;

    do
    :: abort_later ->                 /* end_abandoned(), as soon as xenstored answers */
        abort_later = false;
        ask(ABORT)
    :: !abort_later && replies ? [id, rc, value] -> /* xenstore_poll() */
        replies ? id, rc, value;
        fired = fired || is_late;
        is_late = false
    :: !abort_later && fired ->       /* run_store_command(), store_take_command() */
        fired = false;
        if
        :: is_done -> empty_command()
        :: else
        fi;
        if
        :: is_done -> goto next
        :: else
        fi;
        ask(READ);
        if
        :: rc == ETIMEDOUT || value == NOTHING -> goto next
        :: else
        fi;
        running = value;
        nr_runs[running]++;           /* command_run() */
        assert(nr_runs[running] == 1);
        ask(ANSWER);
        empty_command();              /* store_end_command() */
next:
        skip
    :: timeout ->                     /* nothing is left to do */
        assert(node == NOTHING && nr_runs[last_command] == 1 && !is_done);
        break
    od
}
